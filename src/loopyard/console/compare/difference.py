"""Line by line, what differs between two texts that agents wrote."""

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

MOST_LINES = 1000
"""Lines of each text that are compared: its last. More could keep a hostile text's reader waiting."""
MOST_CHARACTERS = 400
"""Characters of a line."""

_AROUND = 3
"""Lines that are shown around those that differ."""

Side = Literal["same", "changed", "gap"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of both texts; None where one has none there. A gap stands for lines that are the same."""

    side: Side
    a_number: int | None = None
    a: str | None = None
    b_number: int | None = None
    b: str | None = None
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """`left_out` tells that the beginning of a text was not compared."""

    lines: list[Line]
    is_same: bool
    left_out: bool


def difference_of(a: str, b: str) -> Difference:
    """Difference between two texts, with a few lines around."""
    ours, theirs = _cut(a), _cut(b)
    if ours.lines == theirs.lines and not (ours.first or theirs.first):
        return Difference([], is_same=a == b, left_out=False)
    lines: list[Line] = []
    matcher = SequenceMatcher(None, ours.lines, theirs.lines)
    groups = list(matcher.get_grouped_opcodes(_AROUND))
    at = 0
    for group in groups:
        if (hidden := group[0][1] - at) > 0:
            lines.append(Line("gap", hidden=hidden))
        for tag, a_low, a_high, b_low, b_high in group:
            lines += _equal(ours, theirs, a_low, a_high, b_low) if tag == "equal" else []
            lines += [] if tag == "equal" else _changed(ours, theirs, (a_low, a_high), (b_low, b_high))
        at = group[-1][2]
    if groups and (hidden := len(ours.lines) - at) > 0:
        lines.append(Line("gap", hidden=hidden))
    return Difference(lines, is_same=not groups, left_out=bool(ours.first or theirs.first))


@dataclass(frozen=True, slots=True)
class _Text:
    lines: list[str]
    first: int
    """How many lines of it were left out before."""


def _cut(text: str) -> _Text:
    lines = text.removesuffix("\n").split("\n") if text else []
    kept = lines[-MOST_LINES:]
    return _Text([line[:MOST_CHARACTERS] for line in kept], len(lines) - len(kept))


def _equal(ours: _Text, theirs: _Text, a_low: int, a_high: int, b_low: int) -> list[Line]:
    return [
        Line("same", ours.first + at + 1, ours.lines[at], theirs.first + b_low + at - a_low + 1, ours.lines[at])
        for at in range(a_low, a_high)
    ]


def _changed(ours: _Text, theirs: _Text, a: tuple[int, int], b: tuple[int, int]) -> list[Line]:
    lines: list[Line] = []
    for step in range(max(a[1] - a[0], b[1] - b[0])):
        at, to = a[0] + step, b[0] + step
        has_a, has_b = at < a[1], to < b[1]
        lines.append(
            Line(
                "changed",
                ours.first + at + 1 if has_a else None,
                ours.lines[at] if has_a else None,
                theirs.first + to + 1 if has_b else None,
                theirs.lines[to] if has_b else None,
            )
        )
    return lines
