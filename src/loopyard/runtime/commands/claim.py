"""The right to start a command: one process has it at a time, and it is used once, whoever is killed meanwhile.

It is the lock of the file `supervisor.json` in the command's live folder. Its holder writes there who watches over the
command, in the moment before the command's program starts: a command counts as begun from then on. A holder that is
killed before that lets go of the lock, and the next one may start the command. Light: the launcher forks with it.
"""

import fcntl
import json
import os

SUPERVISOR, RESULT = "supervisor.json", "result.json"


def claim(folder: str, live: str, *, wait: bool = True) -> int | None:
    """Take the right to start the command whose kept folder and live folder these are.

    Returns:
        A descriptor that holds it until all its copies are closed; None if the command was begun, or given up.

    Raises:
        BlockingIOError: Another process has it, and this one is not to `wait`.
    """
    try:
        file = os.open(f"{live}/{SUPERVISOR}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:  # the folder went with the end of the command
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        found = os.fstat(file)
        if found.st_size == 0 and found.st_nlink > 0 and not os.path.exists(f"{folder}/{RESULT}"):  # noqa: PTH110
            return file
    except OSError:
        os.close(file)
        raise
    os.close(file)
    return None


def described(pid: int, ticks: int) -> bytes:
    """The content of a claim that is used: the supervisor's process id, and the clock tick at which it started."""
    return json.dumps({"pid": pid, "start_ticks": ticks}).encode()


def use(claimed: int, supervisor: bytes) -> None:
    """Note that the command is begun now, and by whom. Does nothing if that is noted.

    Raises:
        OSError: It could not be noted, so the command must not be started.
    """
    if os.fstat(claimed).st_size == 0:
        os.write(claimed, supervisor)
