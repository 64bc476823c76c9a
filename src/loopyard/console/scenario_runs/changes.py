"""Changes of a run in its working directory, as a page shows them: files with lines that were added or removed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from loopyard.console.page import Page
from loopyard.runtime.folder_changes import FolderChanges
from loopyard.scenario.run import patches
from loopyard.scenario.run.patches import PatchRecorder

LINES_AT_ONCE = 400
"""Lines that the page of a run shows; the page of its changes has all."""

_MOST_LINE = 2000
_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_ESCAPE = re.compile(rb"\\([0-3][0-7]{2}|.)")

Kind = Literal["add", "del", "same", "hunk", "note"]


@dataclass(slots=True)
class FileShown:
    """A file that was changed. `happened` says what became of it, if it did not only change."""

    name: str
    happened: str = ""
    added: int = 0
    removed: int = 0
    lines: list[tuple[Kind, str]] = field(default_factory=list[tuple[Kind, str]])


@dataclass(frozen=True, slots=True)
class ChangesShown:
    """Changes of a run; `told` is None where none are recorded. `hidden` is how many lines are not among the files."""

    told: FolderChanges | None
    files: list[FileShown]
    hidden: int
    can_compare: bool


async def changes_of(page: Page, run_id: str, most_lines: int | None = None) -> ChangesShown:
    """Changes of a run, of which the first lines are shown; None for all."""
    async with page.database.read() as session:
        told = await patches.find(session, run_id)
    files = [] if told is None else files_of(told.patch)
    hidden = 0 if most_lines is None else _cut(files, most_lines)
    return ChangesShown(told, [one for one in files if one.name], hidden, page.parts.get(PatchRecorder).can_compare)


def files_of(patch: bytes) -> list[FileShown]:
    """The files of a patch."""
    files: list[FileShown] = []
    lines = iter(patch.split(b"\n")[:-1])
    for line in lines:
        if line.startswith(b"diff --git "):
            files.append(FileShown(_name(line)))
        elif not files:
            continue
        elif hunk := _HUNK.match(line):
            files[-1].lines.append(("hunk", _text(line)))
            _read_hunk(files[-1], lines, *(1 if size is None else int(size) for size in hunk.groups()))
        else:
            _read_note(files[-1], line)
    return files


def _read_hunk(file: FileShown, lines: Iterator[bytes], old: int, new: int) -> None:
    """Take the lines of a hunk, by their number: they may look like anything."""
    while old > 0 or new > 0:
        line = next(lines, None)
        if line is None:
            return
        mark = line[:1]
        if mark == b"\\":
            file.lines.append(("note", _text(line)))
            continue
        kind: Kind = "add" if mark == b"+" else "del" if mark == b"-" else "same"
        old -= kind != "add"
        new -= kind != "del"
        file.added += kind == "add"
        file.removed += kind == "del"
        file.lines.append((kind, _text(line)))


def _read_note(file: FileShown, line: bytes) -> None:
    """Take a line that is no line of a file."""
    if line.startswith(b"new file mode "):
        file.happened = "new"
    elif line.startswith(b"deleted file mode "):
        file.happened = "deleted"
    elif not line.startswith((b"--- ", b"+++ ")):
        file.lines.append(("note", _text(line)))


def _name(line: bytes) -> str:
    """The path in the first line of a file's part, which has it twice, once as `a/…` and once as `b/…`."""
    both = line.removeprefix(b"diff --git ")
    name = both[(len(both) + 1) // 2 :]
    if name.startswith(b'"'):
        name = _ESCAPE.sub(_unescaped, name[1:-1])
    return _text(name.removeprefix(b"b/"))


def _unescaped(found: re.Match[bytes]) -> bytes:
    told = found[1]
    return bytes([int(told, 8)]) if len(told) == 3 else {b"n": b"\n", b"t": b"\t"}.get(told, told)


def _text(line: bytes) -> str:
    text = line.decode(errors="replace")
    return text if len(text) <= _MOST_LINE else f"{text[:_MOST_LINE]}… ({len(text) - _MOST_LINE:,} more characters)"


def _cut(files: list[FileShown], most: int) -> int:
    """Leave the first lines of all files together. Files of which nothing is left lose their name."""
    hidden = 0
    for file in files:
        kept = min(most, len(file.lines))
        hidden += len(file.lines) - kept
        if file.lines and not kept:
            file.name = ""
        del file.lines[kept:]
        most -= kept
    return hidden
