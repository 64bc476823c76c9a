"""Stand-in for a provider where an application is only described."""

from typing import cast

from loopyard.runtime.protocol import Runtime


class _Absent:
    """Provider of which nothing can be asked."""

    name = "none"


def absent_runtime() -> Runtime:
    """A stand-in that has a name and nothing else: whoever asks it for something gets an AttributeError."""
    return cast("Runtime", _Absent())
