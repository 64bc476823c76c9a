"""Paths in a devbox."""

import posixpath

from loopyard.runtime.protocol import User


def absolute(path: str, user: User) -> str:
    """A path as an absolute one: `~` is the user's home, and a relative path starts there."""
    if path == "~" or path.startswith("~/"):
        path = path[2:]
    return posixpath.normpath(posixpath.join(user.home, path))
