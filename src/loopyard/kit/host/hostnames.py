"""Which names a policy allows."""

import re
from collections.abc import Iterable

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_MOST_CHARACTERS = 253


def is_name(text: str) -> bool:
    """True if it is the name of a host: labels of letters, digits, hyphens and underscores, in lower case."""
    return len(text) <= _MOST_CHARACTERS and _NAME.fullmatch(text) is not None


def normal(name: str) -> str:
    """The name as it is compared: lower case, without the dot at the end."""
    return name.lower().removesuffix(".")


class Hostnames:
    """A set of names, some with `*.` before them, which stands for one or more labels: `*.a.org` allows `b.a.org` and
    `c.b.a.org`, but not `a.org`."""

    __slots__ = ("_exact", "_suffixes")

    def __init__(self, patterns: Iterable[str]) -> None:
        normalized = [normal(pattern) for pattern in patterns]
        self._exact = {pattern for pattern in normalized if not pattern.startswith("*.")}
        self._suffixes = {pattern[2:] for pattern in normalized if pattern.startswith("*.")}

    def allow(self, name: str) -> bool:
        """True if a pattern matches the name."""
        name = normal(name)
        if not is_name(name):
            return False
        if name in self._exact:
            return True
        rest = name
        while "." in rest:
            rest = rest.partition(".")[2]
            if rest in self._suffixes:
                return True
        return False

    def __bool__(self) -> bool:
        return bool(self._exact or self._suffixes)
