"""Processes by number: what /proc says of them, and signals to their groups. Light: the launcher forks with it."""

import os


def stat_fields(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat from the third on, the state: the second, a name, may hold anything.

    Raises:
        FileNotFoundError, ProcessLookupError: There is no such process.
    """
    with open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123
        return stat.read().rpartition(b")")[2].split()


def start_ticks(pid: int) -> int:
    """When the process started, in clock ticks since the machine did: with the pid, it names a process for good.

    Raises:
        FileNotFoundError, ProcessLookupError: There is no such process.
    """
    return int(stat_fields(pid)[19])


def kill_group(pid: int, number: int) -> None:
    """Send a signal to the process group that a command of a sandbox is in. Its number is not the command's where crun
    has made it: in a process that is between the two.

    Raises:
        ProcessLookupError: The process is gone, or its group is this process's own.
    """
    group = os.getpgid(pid)
    if group == os.getpgid(0):
        raise ProcessLookupError(f"process {pid} is not in a sandbox any more")
    os.killpg(group, number)
