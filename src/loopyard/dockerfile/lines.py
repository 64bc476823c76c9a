"""Logical lines of a Dockerfile: directives, comments and continuation lines are taken off, positions are kept."""

import bisect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from loopyard.dockerfile import bounds
from loopyard.dockerfile.errors import DockerfileError
from loopyard.dockerfile.plan import Place, Warned

SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""White space as Go, and so Docker, defines it."""

_DIRECTIVE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*\Z")
_DIRECTIVES = ("syntax", "escape", "check")
_FRONTEND = re.compile(r"(docker\.io/)?docker/dockerfile(-upstream)?(:[\w.-]+)?(@sha256:[0-9a-f]{64})?\Z")


@dataclass(frozen=True, slots=True)
class LogicalLine:
    """An instruction's text on one line. `starts` are offsets into `text` at which a physical line begins, with that
    line's number and the column there."""

    file: str
    text: str
    starts: tuple[tuple[int, int, int], ...]
    raw: tuple[str, ...]

    @property
    def first(self) -> int:
        """Number of the line on which the instruction begins."""
        return self.starts[0][1]

    def place(self, offset: int = 0) -> Place:
        """Place of a character of the text; its own text is the physical line."""
        index = bisect.bisect_right(self.starts, offset, key=lambda start: start[0]) - 1
        start, line, column = self.starts[max(index, 0)]
        return Place(self.file, line, column + max(offset - start, 0), self.raw[line - self.first])

    def whole(self) -> Place:
        """Place of the instruction, with all its physical lines as text."""
        _, line, column = self.starts[0]
        return Place(self.file, line, column, "\n".join(self.raw))


@dataclass
class Lines:
    """Reader of a Dockerfile's lines. `escape` is known once the first logical line was taken."""

    file: str
    physical: list[str]
    escape: str = "\\"
    warnings: list[Warned] = field(default_factory=list[Warned])
    windows: bool = False
    _next: int = 0

    @classmethod
    def of(cls, text: str | bytes, file: str) -> "Lines":
        """The lines of a text.

        Raises:
            DockerfileError: It is too large, no UTF-8, or has NUL characters.
        """
        decoded = text if isinstance(text, str) else _decoded(text, file)
        decoded = decoded.removeprefix("\ufeff")
        if len(decoded) > bounds.TEXT_BYTES:
            raise DockerfileError(
                Place(file, 1, 1, ""), f"The file has more than {bounds.TEXT_BYTES >> 20} MiB, which is the most."
            )
        physical = decoded.split("\n")
        ended = physical.pop() == ""
        if not ended:
            physical = decoded.split("\n")
        for number, line in enumerate(physical, 1):
            bad = line.find("\0")
            if bad >= 0:
                raise DockerfileError(Place(file, number, bad + 1, line), "A Dockerfile has no NUL characters.")
            try:
                line.encode()
            except UnicodeEncodeError as error:
                raise DockerfileError(Place(file, number, error.start + 1, ""), "This is no Unicode.") from None
        lines = cls(file, physical, windows=bool(physical) and all(line.endswith("\r") for line in physical[:-1]))
        lines.windows = lines.windows and physical[0].endswith("\r")
        lines._directives()
        return lines

    def _directives(self) -> None:
        seen: set[str] = set()
        for number, raw in enumerate(self.physical, 1):
            line = raw.rstrip("\r").lstrip(SPACES)
            name, equals, value = line[1 : bounds.DIRECTIVE_CHARACTERS].partition("=")
            key = name.strip().lower()
            value = value.strip()
            if not line.startswith("#") or not equals or not value or key not in _DIRECTIVES:
                return
            place = Place(self.file, number, 1, raw)
            if len(line) > bounds.DIRECTIVE_CHARACTERS:
                raise DockerfileError(
                    place, f"A parser directive has at most {bounds.DIRECTIVE_CHARACTERS} characters."
                )
            if key in seen:
                raise DockerfileError(place, f"Only one {key} parser directive can be used.")
            seen.add(key)
            self._direct(place, key, value)

    def _direct(self, place: Place, key: str, value: str) -> None:
        if key == "escape":
            if value not in ("\\", "`"):
                raise DockerfileError(place, f"The escape character is \\ or `, not {value[:20]!r}.")
            self.escape = value
        elif key == "syntax" and not _FRONTEND.match(value):
            raise DockerfileError(
                place, "Frontends other than docker/dockerfile are not offered; its instructions are built in."
            )
        elif key == "check":
            for part in value.split(";"):
                if part.strip().partition("=")[0].strip() not in ("skip", "error", "experimental"):
                    raise DockerfileError(place, "A check directive has skip=…, error=… or experimental=….")

    def __iter__(self) -> Iterator[LogicalLine]:
        while self._next < len(self.physical):
            line = self._logical()
            if line is not None:
                yield line

    def _logical(self) -> LogicalLine | None:
        begin = self._next
        raw = self.physical[begin]
        self._next += 1
        body = raw.rstrip("\r").lstrip(SPACES)
        if body.startswith("#"):
            return None
        piece, continues = self._trimmed(body)
        if not continues and not piece:
            return None
        pieces = [piece]
        starts = [(0, begin + 1, len(raw.rstrip("\r")) - len(body) + 1)]
        length = len(piece)
        last = begin
        empty = False
        while continues and self._next < len(self.physical):
            at, raw = self._next, self.physical[self._next].rstrip("\r")
            self._next += 1
            left = raw.lstrip(SPACES)
            if left.startswith("#"):
                continue
            if not left:
                empty = True
                continue
            piece, continues = self._trimmed(raw)
            starts.append((length, at + 1, 1))
            pieces.append(piece)
            length += len(piece)
            last = at
        text = "".join(pieces)
        made = LogicalLine(self.file, text, tuple(starts), tuple(self.physical[begin : last + 1]))
        if empty:
            self.warnings.append(Warned(made.place(), "An empty line is skipped where a continued line was expected."))
        return made if text.strip(SPACES) else None

    def _trimmed(self, line: str) -> tuple[str, bool]:
        """The line without the escape character at its end, and whether there was one."""
        end = line.rstrip(" \t")
        if end.endswith(self.escape) and not end[:-1].endswith(self.escape):
            return end[:-1], True
        return line, False

    def heredoc(self, name: str, *, chomp: bool) -> str | None:
        """The content of a heredoc that begins at the next physical line; None if it does not end."""
        content: list[str] = []
        while self._next < len(self.physical):
            line = self.physical[self._next]
            self._next += 1
            bare = line.rstrip("\r")
            if (bare.lstrip("\t") if chomp else bare) == name:
                return "".join(content)
            content.append(line + "\n")
        return None


def _decoded(text: bytes, file: str) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        pass
    lines: list[str] = []
    for number, line in enumerate(text.split(b"\n"), 1):
        comment = line.lstrip().startswith(b"#")
        try:
            lines.append(line.decode(errors="replace" if comment else "strict"))
        except UnicodeDecodeError as error:
            place = Place(file, number, len(line[: error.start].decode()) + 1, line.decode(errors="replace"))
            raise DockerfileError(place, "This is not UTF-8.") from None
    return "\n".join(lines)
