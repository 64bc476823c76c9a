"""Writes a patch as `git diff` would, of bounded size and in bounded time."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from loopyard.runtime.patches.lines import Effort, Replaced, differences

MOST_BYTES = 1 << 20
"""Bytes of a patch."""
MOST_BYTES_OF_FILE = 256 * 1024
"""Bytes of a patch for one file. One that needs more is told to differ."""

_CONTEXT = 3
_STEPS = 2_000_000
"""Work for all files together: a few seconds at most."""
_LOOKED_AT_FOR_NUL = 8000
_NO_END = b"\\ No newline at end of file\n"


@dataclass(frozen=True, slots=True)
class Version:
    """A file or symbolic link at one time. `mode` is one of git's; `data` None says that it is too large to be read."""

    mode: int
    data: bytes | None
    size: int


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch and what it is about. `left_out` of the `files` are not in it, as there was no room; `added` and
    `removed` are the lines in it."""

    data: bytes
    files: int
    left_out: int
    added: int
    removed: int


class PatchWriter:
    """Puts a patch together, file by file."""

    def __init__(self, most_bytes: int = MOST_BYTES, most_bytes_of_file: int = MOST_BYTES_OF_FILE) -> None:
        self._most, self._most_of_file = most_bytes, most_bytes_of_file
        self._effort = Effort(_STEPS)
        self._pieces: list[bytes] = []
        self._bytes = self._files = self._left_out = self._added = self._removed = 0

    def add(self, path: bytes, old: Version | None, new: Version | None) -> None:
        """Add what became of a file; None where it is not there. Nothing if both are the same."""
        if (
            old is not None
            and new is not None
            and old.mode == new.mode
            and old.data == new.data
            and old.data is not None
        ):
            return
        if old is not None and new is not None and (old.mode ^ new.mode) & 0o170000:  # a file became a link
            self._add(path, old, None)
            self._add(path, None, new)
            return
        self._add(path, old, new)

    def patch(self) -> Patch:
        """The patch so far."""
        return Patch(b"".join(self._pieces), self._files, self._left_out, self._added, self._removed)

    def _add(self, path: bytes, old: Version | None, new: Version | None) -> None:
        self._files += 1
        head = _head(path, old, new)
        if self._bytes + len(head) > self._most:
            self._left_out += 1
            return
        body, added, removed = self._body(path, old, new)
        if self._bytes + len(head) + len(body) > self._most:
            self._left_out += 1
            return
        self._pieces += (head, body)
        self._bytes += len(head) + len(body)
        self._added += added
        self._removed += removed

    def _body(self, path: bytes, old: Version | None, new: Version | None) -> tuple[bytes, int, int]:
        before, after = old.data if old else b"", new.data if new else b""
        names = _name(b"a/", path) if old else b"/dev/null", _name(b"b/", path) if new else b"/dev/null"
        if before is None or after is None:
            return _differ(names, "too large", old, new), 0, 0
        if before == after:
            return b"", 0, 0
        if any(b"\0" in data[:_LOOKED_AT_FOR_NUL] for data in (before, after)):
            return b"Binary files %b and %b differ\n" % names, 0, 0
        found = differences(lines := _lines(before), new_lines := _lines(after), self._effort)
        body = b"--- %b\n+++ %b\n" % names + b"".join(_hunks(lines, new_lines, found))
        if len(body) > self._most_of_file:
            return _differ(names, "too much", old, new), 0, 0
        added = sum(one.new_end - one.new_start for one in found)
        return body, added, sum(one.old_end - one.old_start for one in found)


def _lines(data: bytes) -> list[bytes]:
    """Lines with their ends. Only a newline ends one."""
    lines = [line + b"\n" for line in data.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _hunks(old: Sequence[bytes], new: Sequence[bytes], found: Sequence[Replaced]) -> Generator[bytes]:
    """Pieces of the text, with lines around what differs."""
    for group in _groups(found):
        first, last = group[0], group[-1]
        above = min(_CONTEXT, first.old_start)
        below = min(_CONTEXT, len(old) - last.old_end)
        old_range = _range(first.old_start - above, last.old_end + below)
        yield b"@@ -%b +%b @@\n" % (old_range, _range(first.new_start - above, last.new_end + below))
        at = first.old_start - above
        for one in group:
            yield from (_line(b" ", line) for line in old[at : one.old_start])
            yield from (_line(b"-", line) for line in old[one.old_start : one.old_end])
            yield from (_line(b"+", line) for line in new[one.new_start : one.new_end])
            at = one.old_end
        yield from (_line(b" ", line) for line in old[at : at + below])


def _groups(found: Sequence[Replaced]) -> Generator[list[Replaced]]:
    """Differences that stand in one hunk, as their lines around touch."""
    group: list[Replaced] = []
    for one in found:
        if group and one.old_start - group[-1].old_end > 2 * _CONTEXT:
            yield group
            group = []
        group.append(one)
    yield group


def _line(mark: bytes, line: bytes) -> bytes:
    return mark + line if line.endswith(b"\n") else mark + line + b"\n" + _NO_END


def _range(start: int, end: int) -> bytes:
    if end == start:  # of no lines, the number is that of the line before
        return b"%d,0" % start
    return b"%d" % (start + 1) if end - start == 1 else b"%d,%d" % (start + 1, end - start)


def _head(path: bytes, old: Version | None, new: Version | None) -> bytes:
    lines = [b"diff --git %b %b" % (_name(b"a/", path), _name(b"b/", path))]
    if old is None and new is not None:
        lines.append(b"new file mode %o" % new.mode)
    elif old is not None and new is None:
        lines.append(b"deleted file mode %o" % old.mode)
    elif old is not None and new is not None and old.mode != new.mode:
        lines += [b"old mode %o" % old.mode, b"new mode %o" % new.mode]
    return b"\n".join([*lines, b""])


def _differ(names: tuple[bytes, bytes], why: str, old: Version | None, new: Version | None) -> bytes:
    sizes = " to ".join(str(one.size) for one in (old, new) if one is not None)
    return b"Files %b and %b differ (%b to be shown: %b bytes)\n" % (*names, why.encode(), sizes.encode())


def _name(side: bytes, path: bytes) -> bytes:
    """A path as git writes it: in quotes if it has other bytes than printable ASCII."""
    name = side + path
    if all(0x20 <= byte < 0x7F and byte not in b'"\\' for byte in name):
        return name
    return b'"' + b"".join(_escaped(byte) for byte in name) + b'"'


def _escaped(byte: int) -> bytes:
    if byte in _ESCAPES:
        return _ESCAPES[byte]
    return bytes([byte]) if 0x20 <= byte < 0x7F else b"\\%03o" % byte


_ESCAPES = {ord("\n"): b"\\n", ord("\t"): b"\\t", ord('"'): b'\\"', ord("\\"): b"\\\\"}
