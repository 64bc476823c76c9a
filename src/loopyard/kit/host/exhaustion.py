"""Messages by which programs report that they ran into a limit of their devbox. Nothing else tells of a command's own
failure."""

from typing import Literal

from loopyard.kit.host.linux import NO_SPACE_MESSAGES

Resource = Literal["disk", "processes"]

_SAYINGS: dict[Resource, tuple[str, ...]] = {
    "disk": NO_SPACE_MESSAGES,
    "processes": (
        "fork: Resource temporarily unavailable",
        "fork: retry: Resource temporarily unavailable",
        "Cannot fork",
        "can't start new thread",
        "pthread_create failed (EAGAIN)",
        "unable to create native thread",
        "[Errno 11] Resource temporarily unavailable",
    ),
}
_WORDS: dict[Resource, str] = {
    "disk": "its disk is full",
    "processes": "it had as many processes as it may have",
}


def ran_out(output: str) -> Resource | None:
    """Resource that ran out, as the output of a failed command says; None where it says nothing of the kind."""
    return next((what for what, sayings in _SAYINGS.items() if any(one in output for one in sayings)), None)


def reason(output: str) -> str | None:
    """The same in words, such as `its disk is full`."""
    what = ran_out(output)
    return None if what is None else _WORDS[what]
