"""Runs the tests' command apart from the judge, and ends all that it leaves."""

import os
import signal
import subprocess
import time
from typing import IO, Any, Dict, List, Optional, Sequence

from .sessions import Listener

_DUMPABLE, _DROP_FROM_BOUNDING, _SUBREAPER = 4, 24, 36
_MKNOD = 27
_END_SECONDS = 10.0
_WAIT_SECONDS = 0.05


try:
    from ctypes import CDLL

    _control: Any = CDLL(None).prctl
except (ImportError, OSError, AttributeError):  # a Python without it
    _control = None


def _set(option: int, value: int) -> None:
    if _control is not None:
        _control(option, value, 0, 0, 0)


def set_apart() -> None:
    """Close this process to others of its user, and be the one to whom its descendants fall."""
    _set(_DUMPABLE, 0)
    _set(_SUBREAPER, 1)


def run(
    command: Sequence[str], directory: str, environment: Dict[str, str], output: Optional[IO[bytes]], listener: Listener
) -> int:
    """Run a command while its reports are taken. Its output goes to the file, or where this process's own goes.

    Returns:
        Its exit status, as a shell says it.
    """

    def lessen() -> None:
        # With one capability less than the judge it cannot look into it, nor write into its files and output. This one
        # is of no use in a box anyway.
        _set(_DROP_FROM_BOUNDING, _MKNOD)

    out: Dict[str, Any] = {} if output is None else {"stdout": output, "stderr": subprocess.STDOUT}
    with open(os.devnull, "rb") as nothing:
        child = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=nothing,
            preexec_fn=lessen,  # noqa: PLW1509 - there is one thread
            **out,
        )
    while child.poll() is None:
        listener.serve(_WAIT_SECONDS)
        _reap(child.pid)
    listener.close()
    status = child.returncode
    return status if status >= 0 else 128 - status


def end_descendants() -> bool:
    """End every process that came of this one. Returns whether none is left."""
    until = time.monotonic() + _END_SECONDS
    while time.monotonic() < until:
        left = _descendants()
        for process in left:
            try:
                os.kill(process, signal.SIGKILL)
            except OSError:
                continue
        _reap(None)
        if not left:
            return True
    return False


def _reap(spare: Optional[int]) -> None:
    """Take the exit statuses of processes that fell to this one, but not that of its own child."""
    while True:
        try:
            waiting = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except OSError:
            return
        if waiting is None or waiting.si_pid == spare:
            return
        os.waitpid(waiting.si_pid, os.WNOHANG)


def _descendants() -> List[int]:
    parents: Dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/{}/stat".format(name), "rb") as file:
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
            except (OSError, ValueError):
                continue
            if state != b"Z":
                parents[int(name)] = int(parent)
    found = {os.getpid()}
    grown = True
    while grown:
        grown = False
        for process, parent in parents.items():
            if parent in found and process not in found:
                found.add(process)
                grown = True
    return sorted(found - {os.getpid()})
