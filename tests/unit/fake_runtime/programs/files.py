"""Programs that make, move and remove files."""

import posixpath
import re
import time
from collections.abc import Callable

from tests.unit.fake_runtime.disk import Fifo, File, Folder, Link, Node
from tests.unit.fake_runtime.machine import who_is
from tests.unit.fake_runtime.process import Body, Process, describe
from tests.unit.fake_runtime.programs.options import options

Act = Callable[[str], None]


async def _each(process: Process, paths: list[str], act: Act, *, quiet: bool = False) -> int:
    """Do something to each path; 1 if some of that failed, which is told."""
    status = 0
    for path in paths:
        try:
            act(path)
        except OSError as error:
            status = 1
            if not quiet:
                await process.complain(f"{process.argv[0]}: {describe(OSError(error.errno, '', path))}")
    return status


async def _mkdir(process: Process) -> int:
    given, paths = options(process.argv[1:], "m")
    mode = int(given["m"], 8) if "m" in given else 0o777 & ~process.umask

    def make(path: str) -> None:
        place = process.path(path)
        if "p" in given:
            process.disk.make_folders(place, process.who, mode)
        else:
            process.disk.make(place, Folder(mode=mode), process.who)

    return await _each(process, paths, make)


async def _rm(process: Process) -> int:
    given, paths = options(process.argv[1:])
    disk, who = process.disk, process.who

    def remove(path: str) -> None:
        place = process.path(path).rstrip("/")
        if "f" in given and not disk.exists(place, who, follow=False):
            return
        node = disk.get(place, who, follow=False)
        if isinstance(node, Folder):
            if not {"r", "R"} & set(given):
                raise OSError(21, "", path)
            for name in list(node.names):
                remove(f"{place}/{name}")
        disk.remove(place, who)

    return await _each(process, paths, remove)


async def _rmdir(process: Process) -> int:
    return await _each(process, process.argv[1:], lambda path: process.disk.remove(process.path(path), process.who))


def _into(process: Process, source: str, target: str) -> str:
    """Where something goes: into the target, if that is a folder."""
    place = process.path(target)
    if process.disk.exists(place, process.who) and isinstance(process.disk.get(place, process.who), Folder):
        return posixpath.join(place, posixpath.basename(source.rstrip("/")))
    return place


async def _mv(process: Process) -> int:
    _, (*sources, target) = options(process.argv[1:])

    def move(path: str) -> None:
        process.disk.move(process.path(path).rstrip("/"), _into(process, path, target), process.who)

    return await _each(process, sources, move)


async def _cp(process: Process) -> int:
    given, (*sources, target) = options(process.argv[1:])
    keeps = bool({"a", "p", "archive"} & set(given))
    deep = bool({"a", "r", "R", "archive"} & set(given))

    def copy(place: str, to: str) -> None:
        node = process.disk.get(place, process.who, follow=not deep)
        made: Node
        match node:
            case Folder() if deep:
                if not process.disk.exists(to, process.who):
                    process.disk.make(to, Folder(mode=node.mode), process.who)
                for name in process.disk.entries(place, process.who):
                    copy(f"{place}/{name}", f"{to}/{name}")
                return
            case File():
                process.disk.file(place, process.who)
                made = File(mode=node.mode, data=bytearray(node.data), program=node.program)
            case Link():
                made = Link(mode=0o777, target=node.target)
            case _:
                raise OSError(21, "", place)
        if process.disk.exists(to, process.who) and isinstance(made, File):
            there = process.disk.file(to, process.who, wanted=2)
            there.data[:], there.program = made.data, made.program
            return
        process.disk.make(to, made, process.who)
        if keeps:
            made.uid, made.gid, made.changed = node.uid, node.gid, node.changed

    return await _each(process, sources, lambda path: copy(process.path(path), _into(process, path, target)))


async def _ln(process: Process) -> int:
    given, (*sources, target) = options(process.argv[1:])
    disk, who = process.disk, process.who

    def link(source: str) -> None:
        to = process.path(target) if "n" in given else _into(process, source, target)
        if "f" in given and disk.exists(to, who, follow=False):
            disk.remove(to, who)
        if "s" in given:
            disk.make(to, Link(mode=0o777, target=source), who)
        else:
            disk.add(to, disk.get(process.path(source), who, follow=False), who)

    return await _each(process, sources, link)


async def _touch(process: Process) -> int:
    given, paths = options(process.argv[1:], "dr")
    moment = float(given["d"].removeprefix("@")) if "d" in given else time.time()

    def touch(path: str) -> None:
        place = process.path(path)
        if not process.disk.exists(place, process.who):
            process.disk.open_new(place, process.who, 0o666 & ~process.umask)
        process.disk.get(place, process.who).changed = moment

    return await _each(process, paths, touch)


async def _truncate(process: Process) -> int:
    given, paths = options(process.argv[1:], "s")
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    text = given["s"]
    size = int(text[:-1]) * units[text[-1]] if text[-1] in units else int(text)

    def cut(path: str) -> None:
        file = process.disk.open_new(process.path(path), process.who, 0o666 & ~process.umask)
        file.data[:] = file.data[:size].ljust(size, b"\0")

    return await _each(process, paths, cut)


async def _chmod(process: Process) -> int:
    given, (mode, *paths) = options([re.sub(r"^([+-][rwx]+)$", r"a\1", word) for word in process.argv[1:]])

    def change(path: str) -> None:
        _set_mode(process, process.path(path), mode, deep="R" in given)

    return await _each(process, paths, change)


def _set_mode(process: Process, place: str, mode: str, *, deep: bool) -> None:
    node = process.disk.get(place, process.who)
    if process.who.uid not in (0, node.uid):
        raise OSError(1, "")
    if mode.isdigit():
        node.mode = int(mode, 8)
    else:
        for clause in mode.split(","):
            found = re.fullmatch(r"([ugoa]*)([-+=])([rwxX]*)", clause)
            if found is None:
                raise OSError(22, "")
            whom, sign, what = found.groups()
            bits = sum({"r": 4, "w": 2, "x": 1, "X": 1}[letter] for letter in set(what))
            shifts = [{"u": 6, "g": 3, "o": 0}[letter] for letter in (whom.replace("a", "ugo") or "ugo")]
            for shift in shifts:
                kept = node.mode & ~(7 << shift) if sign == "=" else node.mode
                node.mode = kept & ~(bits << shift) if sign == "-" else kept | bits << shift
    if deep and isinstance(node, Folder):
        for name in node.names:
            _set_mode(process, f"{place}/{name}", mode, deep=True)


async def _chown(process: Process) -> int:
    given, (owner, *paths) = options(process.argv[1:])
    name, colon, group = owner.partition(":")

    def change(place: str) -> None:
        node = process.disk.get(place, process.who, follow="h" not in given)
        if process.who.uid != 0:
            raise OSError(1, "")
        if name:
            known = who_is(process.disk, name)
            node.uid = known[0].uid if known else int(name)
            node.gid = known[0].gid if known and colon and not group else node.gid
        if group:
            known = who_is(process.disk, group)
            node.gid = known[0].gid if known else int(group)
        if "R" in given and isinstance(node, Folder):
            for below in node.names:
                change(f"{place}/{below}")

    return await _each(process, paths, lambda path: change(process.path(path)))


async def _mkfifo(process: Process) -> int:
    mode = 0o666 & ~process.umask
    return await _each(
        process, process.argv[1:], lambda path: process.disk.make(process.path(path), Fifo(mode=mode), process.who)
    )


async def _mktemp(process: Process) -> int:
    given, _ = options(process.argv[1:], "p")
    place = f"/tmp/tmp.{process.machine.next_pid():010}"
    process.disk.make(place, Folder(mode=0o700) if "d" in given else File(mode=0o600), process.who)
    await process.say(place)
    return 0


async def _sync(_: Process) -> int:
    return 0


PROGRAMS: dict[str, Body] = {
    "mkdir": _mkdir, "rm": _rm, "rmdir": _rmdir, "mv": _mv, "cp": _cp, "ln": _ln, "touch": _touch,
    "truncate": _truncate, "chmod": _chmod, "chown": _chown, "mkfifo": _mkfifo, "mktemp": _mktemp, "sync": _sync,
}  # fmt: skip
