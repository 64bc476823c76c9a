"""Numbers of tokens."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any, cast

MOST = 10**9
"""Tokens of one answer; a larger number is no number of tokens."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one answer or of many. `input` has those read from and written to the upstream's cache in it, `output`
    those of reasoning."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        """Input and output."""
        return self.input + self.output

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(*(one + two for one, two in zip(astuple(self), astuple(other), strict=True)))


NONE = Tokens()


def number(value: object) -> int | None:
    """A number of tokens as JSON has it; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST:
        return None
    return value


def at(usage: Mapping[str, Any], *path: str) -> int:
    """The number at a path in a usage object; 0 where there is none.

    Raises:
        ValueError: There is something else.
    """
    value: object = usage
    for name in path:
        value = cast("Mapping[str, object]", value).get(name) if isinstance(value, Mapping) else ""
        if value is None:
            return 0
    if (found := number(value)) is None:
        raise ValueError(f"{'.'.join(path)} is no number of tokens")
    return found
