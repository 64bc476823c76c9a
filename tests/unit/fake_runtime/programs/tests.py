"""`test`, which is `[` as well."""

import stat
from collections.abc import Callable

from tests.unit.fake_runtime.disk import Fifo, File, Folder, Link, Node, allows
from tests.unit.fake_runtime.process import Body, Process

_NUMBERS: dict[str, Callable[[int, int], bool]] = {
    "-eq": lambda a, b: a == b, "-ne": lambda a, b: a != b, "-lt": lambda a, b: a < b, "-le": lambda a, b: a <= b,
    "-gt": lambda a, b: a > b, "-ge": lambda a, b: a >= b,
}  # fmt: skip
_TEXTS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda a, b: a == b, "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
}  # fmt: skip


def _on_files(process: Process) -> dict[str, Callable[[Node], bool]]:
    return {
        "-e": lambda _: True,
        "-f": lambda node: isinstance(node, File),
        "-d": lambda node: isinstance(node, Folder),
        "-p": lambda node: isinstance(node, Fifo),
        "-s": lambda node: isinstance(node, File) and len(node.data) > 0,
        "-r": lambda node: allows(node, process.who, 4),
        "-w": lambda node: allows(node, process.who, 2),
        "-x": lambda node: allows(node, process.who, 1),
        "-u": lambda node: bool(node.mode & stat.S_ISUID),
    }


def _holds(process: Process, words: list[str]) -> bool:
    for joint in ("-o", "-a", "&&"):
        if joint in words[1:-1] and len(words) > 3:
            at = words.index(joint, 1)
            sides = (_holds(process, words[:at]), _holds(process, words[at + 1 :]))
            return any(sides) if joint == "-o" else all(sides)
    match words:
        case []:
            return False
        case [word]:
            return bool(word)
        case ["!", *rest]:
            return not _holds(process, rest)
        case ["-n", word]:
            return bool(word)
        case ["-z", word]:
            return not word
        case ["-t", _]:
            return False
        case ["-L" | "-h", path]:
            place = process.path(path)
            return process.disk.exists(place, process.who, follow=False) and isinstance(
                process.disk.get(place, process.who, follow=False), Link
            )
        case [sign, path] if (check := _on_files(process).get(sign)) is not None:
            place = process.path(path)
            return process.disk.exists(place, process.who) and check(process.disk.get(place, process.who))
        case [left, sign, right] if sign in _TEXTS:
            return _TEXTS[sign](left, right)
        case [left, sign, right] if sign in _NUMBERS:
            return _NUMBERS[sign](int(left), int(right))
        case _:
            raise ValueError("too many arguments")


async def test(process: Process, words: list[str]) -> int:
    try:
        return int(not _holds(process, words))
    except ValueError as error:
        await process.complain(f"test: {error}")
        return 2


async def _test(process: Process) -> int:
    return await test(process, process.argv[1:-1] if process.argv[0].endswith("[") else process.argv[1:])


PROGRAMS: dict[str, Body] = {"test": _test, "[": _test}
