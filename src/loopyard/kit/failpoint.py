"""Places where the tests kill the server, to prove that a crash there loses nothing."""

import os
import signal

_armed = os.environ.get("LOOPYARD_FAILPOINT")
"""Name of the one place to die at. Never set outside the tests."""


def failpoint(name: str) -> None:
    """Kill this process with SIGKILL if the environment armed the place called `name`."""
    if _armed is not None and _armed == name:
        os.kill(os.getpid(), signal.SIGKILL)
