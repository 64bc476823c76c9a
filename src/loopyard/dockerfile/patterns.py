"""Patterns in linear time: those of `${name#pattern}` and those of ignore files, on RE2, which BuildKit's match too."""

from collections.abc import Iterator
from typing import Protocol, cast

import re2  # pyright: ignore[reportMissingTypeStubs]

from loopyard.dockerfile import bounds

_ERROR = cast("type[Exception]", re2.error)  # pyright: ignore[reportUnknownMemberType]
_SPECIAL = frozenset("[]{}.+()|^$*?\\")


class Match(Protocol):
    """Match of a pattern."""

    def start(self) -> int: ...

    def end(self) -> int: ...


class Pattern(Protocol):
    """Compiled pattern."""

    def match(self, text: str) -> Match | None: ...

    def search(self, text: str) -> Match | None: ...

    def finditer(self, text: str) -> Iterator[Match]: ...


class BadPattern(ValueError):
    """A pattern that has no meaning, or that is too large."""


def compiled(expression: str) -> Pattern:
    """Compile a regular expression.

    Raises:
        BadPattern: It is none, or takes too much memory.
    """
    if len(expression) > 8 * bounds.PATTERN_CHARACTERS:
        raise BadPattern(f"a pattern has at most {bounds.PATTERN_CHARACTERS} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = bounds.PATTERN_MEMORY
    try:
        return cast("Pattern", re2.compile(expression, options=options))  # pyright: ignore[reportUnknownMemberType]
    except _ERROR as error:
        raise BadPattern("syntax error in pattern") from error


def check_wildcards(pattern: str) -> int:
    """How many wildcards a pattern has.

    Raises:
        BadPattern: It has too many.
    """
    found = sum(pattern.count(one) for one in "*?[")
    if found > bounds.WILDCARDS:
        raise BadPattern(f"a pattern has at most {bounds.WILDCARDS} wildcards")
    return found


def quoted(character: str) -> str:
    """A character as a regular expression that matches it alone."""
    return f"\\{character}" if character in _SPECIAL else character


def shell_pattern(pattern: str, *, greedy: bool, anchored: bool) -> Pattern:
    """Compile a pattern of the shell: `?` is a character, `*` any of them, the most if `greedy`, else the fewest.

    Raises:
        BadPattern: A backslash stands before what needs none.
    """
    check_wildcards(pattern)
    made = ["^"] if anchored else []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            made.append(".*" if greedy else ".*?")
        elif character == "?":
            made.append(".")
        elif character != "\\":
            made.append(quoted(character))
        else:
            escaped = pattern[at : at + 1]
            if escaped in ("}", "/") and escaped:
                continue
            if not escaped or escaped not in "*?\\":
                raise BadPattern(f"invalid escape '\\{escaped}' in the pattern {pattern[:100]!r}")
            at += 1
            made.append(quoted(escaped))
    return compiled("".join(made))


def without_prefix(pattern: str, value: str, *, longest: bool) -> str:
    """The value without the shortest, or longest, beginning that the pattern matches."""
    match = shell_pattern(pattern, greedy=longest, anchored=True).search(value)
    return value if match is None else value[match.end() :]


def without_suffix(pattern: str, value: str, *, longest: bool) -> str:
    """The value without the shortest, or longest, end that the pattern matches."""
    # No expression finds the shortest match at the end: both are reversed.
    return without_prefix(_reversed(pattern), value[::-1], longest=longest)[::-1]


def _reversed(pattern: str) -> str:
    pieces: list[str] = []
    at = 0
    while at < len(pattern):
        length = 2 if pattern[at] == "\\" and at + 1 < len(pattern) else 1
        pieces.append(pattern[at : at + length])
        at += length
    return "".join(reversed(pieces))


def replaced(pattern: str, value: str, replacement: str, *, every: bool) -> str:
    """The value with the first match of the pattern, or with each of them, replaced.

    Raises:
        BadPattern: The pattern is bad, or the result too long.
    """
    pieces: list[str] = []
    length = at = 0
    for match in shell_pattern(pattern, greedy=True, anchored=False).finditer(value):
        pieces += [value[at : match.start()], replacement]
        length += match.start() - at + len(replacement)
        at = match.end()
        if length > bounds.EXPANDED_CHARACTERS:
            raise BadPattern("the result of the replacement is too long")
        if not every:
            break
    return "".join([*pieces, value[at:]])
