"""Commands of the shell itself: what changes the shell, or waits for what it started."""

import asyncio
import contextlib
import re
import signal
from collections.abc import Awaitable, Callable

from tests.unit.fake_runtime.machine import enter, execute
from tests.unit.fake_runtime.process import Exit, describe
from tests.unit.fake_runtime.programs.tests import test
from tests.unit.fake_runtime.programs.text import echo, printf
from tests.unit.fake_runtime.shell import Break, Continue, Return, Shell
from tests.unit.fake_runtime.words import total

Builtin = Callable[[Shell, list[str]], Awaitable[int]]


def signal_number(name: str) -> int:
    """The number of a signal that is told by name or number."""
    return int(name) if name.isdigit() else signal.Signals[f"SIG{name.removeprefix('SIG')}"].value


async def _true(_: Shell, _arguments: list[str]) -> int:
    return 0


async def _false(_: Shell, _arguments: list[str]) -> int:
    return 1


async def _cd(shell: Shell, arguments: list[str]) -> int:
    arguments = [argument for argument in arguments if argument != "--"]
    try:
        enter(shell.process, arguments[0] if arguments else shell.value("HOME") or "/")
    except OSError as error:
        await shell.process.complain(f"{shell.name}: cd: {describe(error)}")
        return 1
    return 0


async def _pwd(shell: Shell, _: list[str]) -> int:
    await shell.process.say(shell.process.cwd)
    return 0


async def _exit(shell: Shell, arguments: list[str]) -> int:
    raise Exit(int(arguments[0]) if arguments else shell.status)


async def _return(shell: Shell, arguments: list[str]) -> int:
    raise Return(int(arguments[0]) if arguments else shell.status)


async def _break(_: Shell, arguments: list[str]) -> int:
    raise Break(int(arguments[0]) if arguments else 1)


async def _continue(_: Shell, arguments: list[str]) -> int:
    raise Continue(int(arguments[0]) if arguments else 1)


async def _export(shell: Shell, arguments: list[str]) -> int:
    for argument in arguments:
        name, given, value = argument.partition("=")
        if given:
            shell.assign(name, value)
        shell.export(name)
    return 0


async def _local(shell: Shell, arguments: list[str]) -> int:
    for argument in arguments:
        name, _, value = argument.partition("=")
        shell.assign(name, value)
    return 0


async def _unset(shell: Shell, arguments: list[str]) -> int:
    for name in arguments:
        shell.unset(name)
    return 0


async def _set(shell: Shell, arguments: list[str]) -> int:
    while arguments and arguments[0][:1] in ("-", "+") and len(arguments[0]) > 1:
        word = arguments.pop(0)
        if word == "--":
            break
        names = {arguments.pop(0)} if word[1:] == "o" else set(word[1:])
        shell.options = shell.options | names if word[0] == "-" else shell.options - names
    else:
        if not arguments:
            return 0
    shell.arguments = arguments
    return 0


async def _shift(shell: Shell, arguments: list[str]) -> int:
    del shell.arguments[: int(arguments[0]) if arguments else 1]
    return 0


async def _read(shell: Shell, arguments: list[str]) -> int:
    names = [argument for argument in arguments if not argument.startswith("-")] or ["REPLY"]
    line = bytearray()
    while (byte := await shell.process.read(1)) not in (b"", b"\n"):
        line += byte
    words = line.decode("utf-8", "surrogateescape").split(None, len(names) - 1)
    for index, name in enumerate(names):
        shell.assign(name, words[index].rstrip() if index < len(words) else "")
    return 0 if byte else 1


async def _trap(shell: Shell, arguments: list[str]) -> int:
    action, *names = arguments
    for name in names:
        if name in ("EXIT", "0"):
            shell.traps["EXIT"] = action
        elif action == "-":
            shell.process.traps.pop(signal_number(name), None)
        else:
            shell.process.traps[signal_number(name)] = action
    return 0


async def _wait(shell: Shell, arguments: list[str]) -> int:
    """Wait for what was started; a signal that has a trap ends it."""
    awaited = [job for job in shell.jobs if not arguments or str(job.pid) in arguments]
    status = 0
    for job in awaited:
        ended = asyncio.ensure_future(job.wait())
        told = asyncio.ensure_future(shell.process.signaled.wait())
        try:
            await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
        if not ended.done():
            ended.cancel()
            return 128 + (shell.process.pending[0] if shell.process.pending else 0)
        status = ended.result()
    return status if arguments else 0


async def _kill(shell: Shell, arguments: list[str]) -> int:
    number = signal.SIGTERM.value
    if arguments and arguments[0].startswith("-") and arguments[0] not in ("--", "-0"):
        word = arguments.pop(0)[1:]
        number = signal_number(arguments.pop(0) if word == "s" else word)
    elif arguments and arguments[0] == "-0":
        arguments.pop(0)
        number = 0
    machine, failed = shell.process.machine, False
    for word in arguments:
        if word.startswith("-"):
            machine.signal_group(int(word[1:]), number)
        elif (process := machine.processes.get(int(word))) is not None:
            process.signal(number)
        else:
            failed = True
            await shell.process.complain(f"{shell.name}: kill: ({word}) - No such process")
    await asyncio.sleep(0)
    return int(failed)


async def _eval(shell: Shell, arguments: list[str]) -> int:
    return await shell.source(" ".join(arguments))


async def _source(shell: Shell, arguments: list[str]) -> int:
    content = b"".join(await shell.process.chunks(arguments[0]))
    with contextlib.suppress(Return):
        return await shell.source(content.decode())
    return shell.status


async def _exec(shell: Shell, arguments: list[str]) -> int:
    if arguments:
        raise Exit(await execute(shell.process, arguments))
    return 0


async def _umask(shell: Shell, arguments: list[str]) -> int:
    if arguments:
        shell.process.umask = int(arguments[0], 8)
    else:
        await shell.process.say(f"{shell.process.umask:04o}")
    return 0


async def _command(shell: Shell, arguments: list[str]) -> int:
    """`command -v NAME`, or a program past functions of its name."""
    from tests.unit.fake_runtime.machine import find

    if arguments[0] != "-v":
        child = shell.process.fork(arguments)
        child.begin(lambda process: execute(process, arguments))
        return await child.wait()
    name = arguments[1]
    if name in BUILTINS or name in shell.functions:
        await shell.process.say(name)
        return 0
    try:
        await shell.process.say(find(shell.process, name))
    except OSError:
        return 1
    return 0


async def _let(shell: Shell, arguments: list[str]) -> int:
    return int(all(total(shell, argument) == 0 for argument in arguments))


async def _echo(shell: Shell, arguments: list[str]) -> int:
    return await echo(shell.process, arguments)


async def _printf(shell: Shell, arguments: list[str]) -> int:
    return await printf(shell.process, arguments)


async def _test(shell: Shell, arguments: list[str]) -> int:
    return await test(shell.process, arguments)


async def _bracket(shell: Shell, arguments: list[str]) -> int:
    return await test(shell.process, arguments[:-1])


async def _double_bracket(shell: Shell, arguments: list[str]) -> int:
    words = arguments[:-1]
    if len(words) == 3 and words[1] == "=~":
        return int(re.search(words[2], words[0]) is None)
    return await test(shell.process, words)


BUILTINS: dict[str, Builtin] = {
    ":": _true, "true": _true, "false": _false, "cd": _cd, "pwd": _pwd, "exit": _exit, "return": _return,
    "break": _break, "continue": _continue, "export": _export, "local": _local, "declare": _local, "unset": _unset,
    "set": _set, "shift": _shift, "read": _read, "trap": _trap, "wait": _wait, "kill": _kill, "eval": _eval,
    ".": _source, "source": _source, "exec": _exec, "umask": _umask, "command": _command, "let": _let,
    "echo": _echo, "printf": _printf, "test": _test, "[": _bracket, "[[": _double_bracket, "disown": _true,
}  # fmt: skip
