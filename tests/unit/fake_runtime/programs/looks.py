"""Programs that tell what is on a disk."""

import posixpath
import re
from collections.abc import Mapping
from fnmatch import fnmatch

from tests.unit.fake_runtime.disk import Device, Fifo, File, Folder, Link, Node
from tests.unit.fake_runtime.machine import find, name_of
from tests.unit.fake_runtime.process import Body, Process, describe
from tests.unit.fake_runtime.programs.options import options


def _kind(node: Node) -> str:
    match node:
        case Folder():
            return "directory"
        case Link():
            return "symbolic link"
        case Fifo():
            return "fifo"
        case Device():
            return "character special file"
        case _:
            return "regular file"


def _size(node: Node) -> int:
    return len(node.data) if isinstance(node, File) else 0


async def _ls(process: Process) -> int:
    given, paths = options(process.argv[1:])
    status, alone = 0, len(paths) < 2
    files: list[str] = []
    folders: list[str] = []
    for path in paths or ["."]:
        place = process.path(path)
        try:
            node = process.disk.get(place, process.who, follow="l" not in given)
            if isinstance(node, Folder) and "d" not in given:
                process.disk.entries(place, process.who)
                folders.append(path)
            else:
                files.append(path)
        except OSError as error:
            status = 2
            if "f" not in given:
                await process.complain(f"ls: cannot access '{path}': {describe(OSError(error.errno, ''))}")
    await _show(process, [(path, process.path(path)) for path in files], given)
    for path in folders:
        if not alone:
            await process.say(f"{path}:")
        names = process.disk.entries(process.path(path), process.who)
        shown = [name for name in names if {"A", "a"} & set(given) or not name.startswith(".")]
        await _show(process, [(name, posixpath.join(process.path(path), name)) for name in shown], given)
    return status


async def _show(process: Process, entries: list[tuple[str, str]], given: dict[str, str]) -> None:
    for name, place in entries:
        if "l" not in given:
            await process.say(name)
            continue
        node = process.disk.get(place, process.who, follow=False)
        letter = {"directory": "d", "symbolic link": "l", "fifo": "p"}.get(_kind(node), "-")
        bits = "".join(sign if node.mode >> 8 - index & 1 else "-" for index, sign in enumerate("rwx" * 3))
        owner = f"{name_of(process.disk, node.uid)} {name_of(process.disk, node.gid, group=True)}"
        target = f" -> {node.target}" if isinstance(node, Link) else ""
        await process.say(f"{letter}{bits} {node.links} {owner} {_size(node)} {name}{target}")


async def _stat(process: Process) -> int:
    given, paths = options(process.argv[1:], "c", ("format",))
    status = 0
    for path in paths:
        try:
            node = process.disk.get(process.path(path), process.who, follow="L" in given)
        except OSError as error:
            status = 1
            await process.complain(f"stat: cannot statx '{path}': {describe(OSError(error.errno, ''))}")
            continue
        values = {
            "U": name_of(process.disk, node.uid), "G": name_of(process.disk, node.gid, group=True), "u": node.uid,
            "g": node.gid, "a": f"{node.mode:o}", "s": _size(node), "h": node.links, "n": path, "F": _kind(node),
            "Y": int(node.changed), "i": id(node),
        }  # fmt: skip
        form = given.get("c") or given.get("format") or "%n"
        await process.say(_filled(form, values))
    return status


def _filled(form: str, values: Mapping[str, object]) -> str:
    """A format with its values put in."""
    return re.sub(r"%([A-Za-z])", lambda found: str(values[found[1]]), form)


async def _readlink(process: Process) -> int:
    given, paths = options(process.argv[1:])
    for path in paths:
        if "f" in given:
            await process.say(posixpath.normpath(process.path(path)))
            continue
        node = process.disk.get(process.path(path), process.who, follow=False)
        if not isinstance(node, Link):
            return 1
        await process.say(node.target)
    return 0


async def _find(process: Process) -> int:
    """`find PLACE... [-name N] [-type T] [-maxdepth D]`."""
    words = process.argv[1:]
    starts = words[: next((index for index, word in enumerate(words) if word.startswith("-")), len(words))]
    tests = words[len(starts) :]
    wanted = dict(zip(tests[::2], tests[1::2], strict=False))
    kinds = {"f": File, "d": Folder, "l": Link}

    async def visit(path: str, depth: int) -> None:
        node = process.disk.get(process.path(path), process.who, follow=False)
        named = fnmatch(posixpath.basename(path), wanted.get("-name", "*"))
        if named and ("-type" not in wanted or isinstance(node, kinds[wanted["-type"]])):
            await process.say(path)
        if isinstance(node, Folder) and depth < int(wanted.get("-maxdepth", "100")):
            for name in sorted(node.names):
                await visit(f"{path.rstrip('/')}/{name}", depth + 1)

    for start in starts or ["."]:
        await visit(start, 0)
    return 0


async def _du(process: Process) -> int:
    given, paths = options(process.argv[1:])
    for path in paths or ["."]:
        node = process.disk.get(process.path(path), process.who)
        waiting, total = [node], 0
        while waiting:
            one = waiting.pop()
            total += _size(one)
            if isinstance(one, Folder):
                waiting += one.names.values()
        await process.say(f"{-(-total // ((1 << 20) if 'm' in given else 1 << 10))}\t{path}")
    return 0


async def _which(process: Process) -> int:
    for name in process.argv[1:]:
        try:
            await process.say(find(process, name))
        except OSError:
            return 1
    return 0


async def _basename(process: Process) -> int:
    _, (path, *suffix) = options(process.argv[1:])
    name = posixpath.basename(path.rstrip("/"))
    await process.say(name.removesuffix(suffix[0]) if suffix else name)
    return 0


async def _dirname(process: Process) -> int:
    _, (path,) = options(process.argv[1:])
    await process.say(posixpath.dirname(path.rstrip("/")) or ".")
    return 0


PROGRAMS: dict[str, Body] = {
    "ls": _ls, "stat": _stat, "readlink": _readlink, "realpath": _readlink, "find": _find, "du": _du,
    "which": _which, "basename": _basename, "dirname": _dirname,
}  # fmt: skip
