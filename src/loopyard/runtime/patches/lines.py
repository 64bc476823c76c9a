"""The lines in which two texts differ, by the algorithm of Myers, with a limit on the work."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

_STEPS_AT_ONCE = 500_000
"""Work for two texts, which also limits the memory that it takes: 4 bytes a step."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """Lines `old_start` to `old_end` (not among them) of a text, in whose place another one has `new_start` to
    `new_end`."""

    old_start: int
    old_end: int
    new_start: int
    new_end: int


class Effort:
    """The work that may still be done, in steps; `left` is below 1 once it is used up."""

    def __init__(self, steps: int) -> None:
        self.left = steps


def differences(old: Sequence[bytes], new: Sequence[bytes], effort: Effort) -> list[Replaced]:
    """Where two texts differ, from the top. Where that takes more effort than is left, all from the first line that
    differs to the last one is told to be replaced, which is right too, if longer."""
    start, most = 0, min(len(old), len(new))
    while start < most and old[start] == new[start]:
        start += 1
    old_end, new_end = len(old), len(new)
    while old_end > start and new_end > start and old[old_end - 1] == new[new_end - 1]:
        old_end -= 1
        new_end -= 1
    if start == old_end and start == new_end:
        return []
    whole = Replaced(start, old_end, start, new_end)
    if start in (old_end, new_end):
        return [whole]
    numbers: dict[bytes, int] = {}
    a, b = (
        [numbers.setdefault(line, len(numbers)) for line in text] for text in (old[start:old_end], new[start:new_end])
    )
    rows = _furthest(a, b, effort)
    return [whole] if rows is None else _shifted(_edits(rows, len(a), len(b)), start)


def _furthest(a: Sequence[int], b: Sequence[int], effort: Effort) -> "list[array[int]] | None":
    """For each number of edits, how far down `a` one comes on each diagonal; the last row has one that is at both ends.
    None if the effort does not suffice."""
    rows: list[array[int]] = []
    before = array("i")
    enough = max(0, effort.left - _STEPS_AT_ONCE)
    for edits in range(len(a) + len(b) + 1):
        row = array("i")
        for place in range(edits + 1):
            x = 0
            if edits:
                x = before[place] if _goes_down(before, place, edits) else before[place - 1] + 1
            y = x - (2 * place - edits)
            first = x
            while x < len(a) and y < len(b) and a[x] == b[y]:
                x += 1
                y += 1
            effort.left -= 1 + x - first
            row.append(x)
            if x >= len(a) and y >= len(b):
                rows.append(row)
                return rows
        if effort.left <= enough:
            return None
        rows.append(row)
        before = row
    raise AssertionError("two texts differ in no more lines than they have")


def _goes_down(before: Sequence[int], place: int, edits: int) -> bool:
    """True if the way to a diagonal came by a line of the new text, not by one of the old."""
    return place == 0 or (place != edits and before[place - 1] < before[place])


def _edits(rows: Sequence[Sequence[int]], x: int, y: int) -> list[Replaced]:
    """The way back through the rows, from the end of both texts, joined where edits touch."""
    found: list[Replaced] = []
    for edits in range(len(rows) - 1, 0, -1):
        before, place = rows[edits - 1], (x - y + edits) // 2
        down = _goes_down(before, place, edits)
        x_before = before[place] if down else before[place - 1]
        y_before = x_before - (x - y + (1 if down else -1))
        x_after, y_after = (x_before, y_before + 1) if down else (x_before + 1, y_before)
        last = found[-1] if found else None
        if last is not None and (last.old_start, last.new_start) == (x_after, y_after):
            found[-1] = Replaced(x_before, last.old_end, y_before, last.new_end)
        else:
            found.append(Replaced(x_before, x_after, y_before, y_after))
        x, y = x_before, y_before
    return found[::-1]


def _shifted(found: Sequence[Replaced], by: int) -> list[Replaced]:
    return [Replaced(one.old_start + by, one.old_end + by, one.new_start + by, one.new_end + by) for one in found]
