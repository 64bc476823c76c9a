"""Patterns of paths as BuildKit's matcher has them: of `.dockerignore`, `--exclude` and `--parents`."""

import posixpath
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from loopyard.dockerfile import bounds
from loopyard.dockerfile.patterns import BadPattern, check_wildcards, compiled, quoted

Results = tuple[bool, ...]
"""Which patterns matched a folder, from which follows what they do with what is in it."""


def ignore_patterns(text: str) -> list[str]:
    """The patterns of an ignore file, cleaned.

    Raises:
        BadPattern: There are too many, or one is too long.
    """
    made: list[str] = []
    for line in text.removeprefix("\ufeff").split("\n"):
        if line.startswith("#") or not (pattern := line.strip()):
            continue
        if len(pattern) > bounds.PATTERN_CHARACTERS:
            raise BadPattern(f"a pattern has at most {bounds.PATTERN_CHARACTERS} characters")
        if len(made) >= bounds.PATTERNS:
            raise BadPattern(f"there are at most {bounds.PATTERNS} patterns")
        keeps = pattern.startswith("!")
        pattern = pattern[1:].strip() if keeps else pattern
        if pattern:
            pattern = posixpath.normpath(pattern)
            pattern = pattern.lstrip("/") or "/"
        made.append(("!" if keeps else "") + pattern)
    return made


def ignore_file_names(dockerfile: str = "Dockerfile") -> tuple[str, str]:
    """The files that may say what of a context is left out; the first one that is there counts."""
    return f"{dockerfile}.dockerignore", ".dockerignore"


_FEW = 6
"""Wildcards that a pattern may have and be compared at once."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    keeps: bool
    parts: tuple[str, ...]
    wildcards: int
    matches: Callable[[str], bool]


class Matcher:
    """Patterns of which the last one that matches counts, and which match what is in a folder that they match."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """
        Raises:
            BadPattern: One has no meaning.
        """
        self._patterns: list[_Pattern] = []
        self._work = 0
        for original in patterns:
            keeps = original.startswith("!")
            pattern = original[1:] if keeps else original
            if not pattern:
                raise BadPattern(f"the pattern {original!r} excludes nothing")
            pattern = posixpath.normpath(pattern)
            if len(pattern) > 1:
                pattern = pattern.lstrip("/")
            try:
                wildcards, matches = check_wildcards(pattern), _compiled(pattern)
            except BadPattern as bad:
                raise BadPattern(f"{original[:100]!r}: {bad}") from bad
            self._patterns.append(_Pattern(keeps, tuple(pattern.split("/")), wildcards, matches))

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def match(self, path: str, parent: Results = ()) -> tuple[bool, Results]:
        """Tells whether a path, relative to the root, is matched, and which patterns did it; `parent` is what that was
        for its folder, nothing for what is in the root itself.

        Raises:
            BadPattern: It has become too much work.
        """
        path = _printable(path)
        results: list[bool] = []
        matched = False
        for index, pattern in enumerate(self._patterns):
            found = bool(parent) and parent[index]
            if not found and pattern.keeps == matched:
                self._work += 1 + (pattern.wildcards * len(path) >> 4 if pattern.wildcards > _FEW else 0)
                found = pattern.matches(path)
            results.append(found)
            if found:
                matched = not pattern.keeps
        if self._work > bounds.MATCHES:
            raise BadPattern("there are too many patterns for so many files")
        return matched, tuple(results)

    def matches(self, path: str) -> bool:
        """Tells whether a path is matched, by itself or since a folder above it is."""
        results: Results = ()
        matched = False
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            matched, results = self.match("/".join(parts[:depth]), results)
        return matched

    def may_keep_below(self, folder: str) -> bool:
        """Tells whether a pattern with `!` may match something in a folder that is matched."""
        parts = folder.split("/")
        return any(pattern.keeps and _may_match_below(pattern.parts, parts) for pattern in self._patterns)

    def may_match_below(self, folder: str) -> bool:
        """Tells whether a pattern may match something in a folder that is not matched."""
        parts = folder.split("/")
        return any(not pattern.keeps and _may_match_below(pattern.parts, parts) for pattern in self._patterns)


def _may_match_below(pattern: Sequence[str], folder: Sequence[str]) -> bool:
    for own, part in zip(pattern, folder, strict=False):
        if "**" in own:
            return True
        if own != part and not has_wildcards(own):
            return False
    return len(pattern) > len(folder)


def has_wildcards(pattern: str) -> bool:
    """Tells whether a pattern may match a name other than itself."""
    return any(character in pattern for character in "*?[\\")


def _printable(path: str) -> str:
    return path if path.isascii() else path.encode(errors="surrogateescape").decode(errors="replace")


def _compiled(pattern: str) -> Callable[[str], bool]:
    """Translate a pattern; plain ones, and `**` at one end, are compared as text."""
    expression = ["^"]
    plain = True
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            plain = False
            doubled = pattern.startswith("*", at)
            at += 1 if doubled else 0
            if not doubled:
                expression.append("[^/]*")
                continue
            at += 1 if pattern.startswith("/", at) else 0
            expression.append(".*" if at >= len(pattern) else "(.*/)?")
        elif character == "?":
            plain = False
            expression.append("[^/]")
        elif character == "[":
            plain = False
            at, made = bracket(pattern, at)
            expression.append(made)
        elif character == "\\":
            plain = False
            if at >= len(pattern):
                raise BadPattern("syntax error in pattern")
            expression.append(quoted(pattern[at]))
            at += 1
        else:
            expression.append(quoted(character))
    if plain:
        return lambda path: path == pattern
    suffix = pattern[2:]
    if pattern.startswith("**") and not has_wildcards(suffix):
        # Moby compares the end alone, so that **file matches afile too.
        return lambda path: path.endswith(suffix) or (suffix.startswith("/") and path == suffix[1:])
    made = compiled("(?s)" + "".join(expression) + "$")
    return lambda path: made.search(path) is not None


def bracket(pattern: str, at: int) -> tuple[int, str]:
    """Translate a bracket expression whose `[` was read; gives where it ends.

    Raises:
        BadPattern: It is none.
    """
    negated = pattern.startswith("^", at)
    at += 1 if negated else 0
    ranges: list[str] = []
    count = 0
    while not (count > 0 and pattern.startswith("]", at)):
        first, at = _bracket_character(pattern, at)
        last = first
        if pattern.startswith("-", at):
            last, at = _bracket_character(pattern, at + 1)
        count += 1
        if first <= last:
            ranges.append(f"{_in_bracket(first)}-{_in_bracket(last)}")
    inside = "".join(ranges)
    if not inside:
        # A range that ends before it begins has no characters.
        return at + 1, "(?s:.)" if negated else r"[^\x00-\x{10FFFF}]"
    return at + 1, f"[{'^' if negated else ''}{inside}]"


def _bracket_character(pattern: str, at: int) -> tuple[str, int]:
    if at >= len(pattern) or pattern[at] in "-]":
        raise BadPattern("syntax error in pattern")
    if pattern[at] == "\\":
        at += 1
    if at + 1 >= len(pattern):
        raise BadPattern("syntax error in pattern")
    return pattern[at], at + 1


def _in_bracket(character: str) -> str:
    return f"\\x{{{ord(character):x}}}"
