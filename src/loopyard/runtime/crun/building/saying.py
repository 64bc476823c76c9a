"""Takes the host's paths out of the errors of programs that the host runs for a build: they say how it is set up, and
mean nothing to whoever builds."""

import re

_PATH = r"(?<![\w.:/@~-])/[\w.@+~,-]+(?:/[\w.@+~,-]*)*(?<![.,])"
"""A path, but not that of a URL or of a name of an image."""

_ONE = rf"""(?:"/[^"]*"|'/[^']*'|`/[^`]*`|{_PATH})"""
_PATHS = re.compile(rf"{_ONE}(?:(?:,| or| and) {_ONE})*")
_BLOCKED = re.compile(rf"(is blocked) in {_ONE}.*")
_SUBJECT = "a file of the host"


def without_paths(text: str) -> str:
    """The text without paths of the host."""
    return _PATHS.sub(_SUBJECT, _BLOCKED.sub(r"\1", text))
