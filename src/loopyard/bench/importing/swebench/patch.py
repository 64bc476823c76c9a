"""Patches as `git diff` and `diff -u` write them: the files that they change, and what git would not take of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_GIT = re.compile(r"^diff --git ")
_HUNK = re.compile(r"^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_MOVED = re.compile(r"^(?:rename|copy) (?:from|to) (.+)$")
_BINARY = re.compile(r"^Binary files (.+) and (.+) differ\s*$")
_ESCAPES = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PAIR = re.compile(rf"^diff --git (?P<old>{_QUOTED}|\S.*?) (?P<new>{_QUOTED}|[^\" ].*)$")


@dataclass
class Patch:
    """A patch with the faults that can be mended mended. `files` are those that it changes, makes, moves or removes;
    `without_data` the binary ones among them whose new content it does not have."""

    text: str
    files: Sequence[str]
    without_data: Sequence[str]


@dataclass
class _PatchReader:
    """How far a patch has been read. `old` and `new` are the lines that the hunk at hand has still to bring."""

    lines: list[str] = field(default_factory=list[str])
    files: dict[str, None] = field(default_factory=dict[str, None])
    binary: list[str] = field(default_factory=list[str])
    old: int = 0
    new: int = 0
    data: bool = False

    def name(self, text: str, *, prefixed: bool = True) -> None:
        path = unquoted(text)
        if path != "/dev/null":
            self.files[path.partition("/")[2] if prefixed and re.match(r"[a-z]/.", path) else path] = None


def read(text: str) -> Patch:
    """Read a patch, and complete it: the end of its last line, and blank lines of context at the end of its last hunk,
    which are lost where patches are stripped of white space."""
    reading = _PatchReader()
    lines = text.split("\n")
    ended = lines[-1] == ""
    for line in lines[:-1] if ended else lines:
        _take(reading, line)
    if reading.old == reading.new and reading.old > 0:
        reading.lines += [" "] * reading.old
    return Patch("\n".join(reading.lines) + "\n", list(reading.files), reading.binary)


def _take(reading: _PatchReader, line: str) -> None:
    reading.lines.append(line)
    if reading.old > 0 or reading.new > 0:
        kind = line[:1]
        reading.old -= kind in ("", " ", "-", "\r")
        reading.new -= kind in ("", " ", "+", "\r")
        if kind in ("", " ", "-", "+", "\\", "\r"):
            return
        reading.old = reading.new = 0
    if _GIT.match(line):
        _take_pair(reading, line)
    elif hunk := _HUNK.match(line):
        reading.old, reading.new = int(hunk[1] or 1), int(hunk[2] or 1)
    elif line.startswith(("--- ", "+++ ")):
        path = line[4:].rstrip("\r\n")
        reading.name(path if path.startswith('"') else path.partition("\t")[0].rstrip())
    elif moved := _MOVED.match(line):
        reading.name(moved[1].rstrip("\r"), prefixed=False)
    elif binary := _BINARY.match(line):
        names = [unquoted(one) for one in binary.groups() if one != "/dev/null"]
        if binary[2] != "/dev/null":
            reading.binary.append(names[-1].partition("/")[2] or names[-1])


def _take_pair(reading: _PatchReader, line: str) -> None:
    """Take the names of `diff --git a/OLD b/NEW`, whose blanks are not quoted: without a rename both are the same."""
    rest = line.removeprefix("diff --git ").rstrip("\r")
    half = len(rest) // 2
    if not rest.startswith('"') and rest[half : half + 1] == " " and rest[2:half] == rest[half + 3 :]:
        reading.name(rest[:half])
    elif pair := _PAIR.match(line.rstrip("\r")):
        old, new = pair["old"], pair["new"]
        if not old.startswith('"') and not new.startswith('"') and (at := rest.find(" b/")) > 0:
            old, new = rest[:at], rest[at + 1 :]
        reading.name(old)
        reading.name(new)


def unquoted(name: str) -> str:
    """A file's name as git quotes it where it has unusual characters: in C's way, byte by byte."""
    if len(name) < 2 or not (name.startswith('"') and name.endswith('"')):
        return name
    found = bytearray()
    pieces = re.findall(r"\\([0-7]{1,3}|.)|([^\\]+)", name[1:-1])
    for escape, plain in pieces:
        if plain:
            found += plain.encode()
        else:
            found.append(_ESCAPES[escape] if escape in _ESCAPES else int(escape, 8) & 255 if escape.isdigit() else 63)
    return found.decode("utf-8", "surrogateescape")
