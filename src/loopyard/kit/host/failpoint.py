"""Places where the tests kill the server, to prove that a crash there loses nothing."""

import os
import signal


def failpoint(name: str) -> None:
    """Kill this process with SIGKILL if the variable LOOPYARD_FAILPOINT, which only tests set, names this place."""
    if os.environ.get("LOOPYARD_FAILPOINT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
