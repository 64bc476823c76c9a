"""Programs about processes, users, and the machine."""

import asyncio
import posixpath
import re
import time

from tests.unit.fake_runtime.disk import ROOT, Folder
from tests.unit.fake_runtime.machine import execute, name_of, who_is
from tests.unit.fake_runtime.process import Body, Process
from tests.unit.fake_runtime.programs.options import options


async def _shell(process: Process) -> int:
    """`sh` and `bash`: `-c SCRIPT [NAME [ARGUMENT...]]`, a file, or what standard input says."""
    from tests.unit.fake_runtime.shell import Shell

    words = process.argv[1:]
    flags: set[str] = set()
    while words and re.fullmatch(r"[-+][A-Za-z]+|--\w+", words[0]):
        word = words.pop(0)
        flags |= set() if word.startswith("--") else set(word[1:])
        if "o" in word[1:] and not word.startswith("--"):
            flags.add(words.pop(0))
    if "c" in flags:
        text, name, arguments = words[0], words[1] if len(words) > 1 else process.argv[0], words[2:]
    elif words:
        text, name, arguments = b"".join(await process.chunks(words[0])).decode(), words[0], words[1:]
    else:
        text, name, arguments = (await process.read_all()).decode(), process.argv[0], []
    shell = Shell(process, name, arguments)
    shell.options = flags & {"e", "u", "x", "pipefail"}
    return await shell.run(text)


async def _sleep(process: Process) -> int:
    if process.argv[1] == "infinity":
        await asyncio.Event().wait()
    units = {"s": 1, "m": 60, "h": 3600}
    word = process.argv[1]
    await asyncio.sleep(float(word[:-1]) * units[word[-1]] if word[-1] in units else float(word))
    return 0


async def _sudo(process: Process) -> int:
    words = process.argv[1:]
    name = "root"
    while words and words[0].startswith("-"):
        option = words.pop(0)
        if option == "-u":
            name = words.pop(0)
    known = who_is(process.disk, name)
    if known is None:
        await process.complain(f"sudo: unknown user {name}")
        return 1
    process.who, user, home = known
    process.environment |= {"HOME": home, "USER": user, "LOGNAME": user}
    return await execute(process, words)


async def _env(process: Process) -> int:
    words = process.argv[1:]
    if words[:1] == ["-i"]:
        process.environment.clear()
        words.pop(0)
    while words and "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        process.environment[name] = value
    if words:
        return await execute(process, words)
    for name, value in process.environment.items():
        await process.say(f"{name}={value}")
    return 0


async def _printenv(process: Process) -> int:
    if len(process.argv) == 1:
        return await _env(process)
    if (value := process.environment.get(process.argv[1])) is None:
        return 1
    await process.say(value)
    return 0


async def _nohup(process: Process) -> int:
    process.traps[1] = ""
    return await execute(process, process.argv[1:])


async def _setsid(process: Process) -> int:
    process.group = process.pid
    return await execute(process, process.argv[1:])


async def _timeout(process: Process) -> int:
    child = process.fork(process.argv[2:])
    child.begin(lambda one: execute(one, process.argv[2:]))
    try:
        async with asyncio.timeout(float(process.argv[1])):
            return await child.wait()
    except TimeoutError:
        child.signal(15)
        return 124


async def _id(process: Process) -> int:
    given, rest = options(process.argv[1:])
    who = process.who
    if rest:
        known = who_is(process.disk, rest[0])
        if known is None:
            await process.complain(f"id: '{rest[0]}': no such user")
            return 1
        who = known[0]
    number = who.gid if "g" in given else who.uid
    if "n" in given:
        await process.say(name_of(process.disk, number, group="g" in given))
    elif given:
        await process.say(str(number))
    else:
        await process.say(f"uid={who.uid}({name_of(process.disk, who.uid)}) gid={who.gid}")
    return 0


async def _whoami(process: Process) -> int:
    await process.say(name_of(process.disk, process.who.uid))
    return 0


async def _hostname(process: Process) -> int:
    await process.say(process.machine.hostname)
    return 0


async def _getent(process: Process) -> int:
    _, table, key = process.argv
    file = {"hosts": "/etc/hosts", "passwd": "/etc/passwd", "group": "/etc/group"}[table]
    for line in process.disk.file(file).data.decode().splitlines():
        if key in re.split(r"[\s:]+", line):
            await process.say(line)
            return 0
    return 2


async def _pgrep(process: Process) -> int:
    given, (wanted, *_) = options(process.argv[1:])
    found: list[int] = []
    for other in process.siblings():
        text = " ".join(other.argv) if "f" in given else posixpath.basename(other.argv[0])
        matches = re.fullmatch(wanted, text) if "x" in given else re.search(wanted, text)
        if matches and other is not process:
            found.append(other.pid)
    for line in [str(len(found))] if "c" in given else map(str, found):
        await process.say(line)
    return int(not found)


async def _useradd(process: Process) -> int:
    given, (name,) = options(process.argv[1:], "u", ("uid", "shell", "home-dir"))
    if process.who.uid != 0:
        await process.complain("useradd: Permission denied.")
        return 1
    add_user(process, name, int(given.get("uid") or given.get("u") or 2000))
    return 0


def add_user(process: Process, name: str, number: int) -> None:
    """A new account with a home of its own."""
    disk = process.disk
    disk.file("/etc/passwd").data.extend(f"{name}:x:{number}:{number}::/home/{name}:/bin/bash\n".encode())
    disk.file("/etc/group").data.extend(f"{name}:x:{number}:\n".encode())
    disk.add(f"/home/{name}", Folder(mode=0o755, uid=number, gid=number), ROOT)


async def _date(process: Process) -> int:
    form = process.argv[-1].removeprefix("+") if process.argv[-1].startswith("+") else "%c"
    now = time.time()
    await process.say(time.strftime(form.replace("%N", f"{int(now % 1 * 1e9):09}").replace("%s", str(int(now)))))
    return 0


async def _xargs(process: Process) -> int:
    words = (await process.read_all()).decode().split()
    child = process.fork([*process.argv[1:], *words])
    child.begin(lambda one: execute(one, [*process.argv[1:], *words]))
    return await child.wait()


async def _true(_: Process) -> int:
    return 0


async def _false(_: Process) -> int:
    return 1


async def _pwd(process: Process) -> int:
    await process.say(process.cwd)
    return 0


PROGRAMS: dict[str, Body] = {
    "sh": _shell, "bash": _shell, "sleep": _sleep, "sudo": _sudo, "env": _env, "printenv": _printenv,
    "nohup": _nohup, "setsid": _setsid, "timeout": _timeout, "id": _id, "whoami": _whoami, "hostname": _hostname,
    "getent": _getent, "pgrep": _pgrep, "useradd": _useradd, "date": _date, "xargs": _xargs, "true": _true,
    "false": _false, "pwd": _pwd, "less": _true,
}  # fmt: skip
