"""Processes by number: what /proc says of them, and signals to their groups. Light: the launcher forks with it."""

import errno
import os
import signal

_TO_GROUP = 1 << 2
"""PIDFD_SIGNAL_PROCESS_GROUP, of Linux 6.9."""


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


def send_signal(pid: int, ticks: int, number: int) -> None:
    """Send a signal to the process that started at this clock tick, and to no other that has its number by now.

    Raises:
        ProcessLookupError: The process is gone.
    """
    process = os.pidfd_open(pid)
    try:
        if not _is_of(pid, ticks):  # looked at only now, when it is sure whose descriptor this is
            raise ProcessLookupError(f"process {pid} is gone")
        signal.pidfd_send_signal(process, number)
    finally:
        os.close(process)


def _is_of(pid: int, ticks: int) -> bool:
    try:
        return start_ticks(pid) == ticks
    except FileNotFoundError:
        return False


def kill_group(pid: int, number: int) -> None:
    """Send a signal to the process group that a command of a sandbox is in. Its number is not the command's where crun
    has made it: in a process that is between the two.

    Raises:
        ProcessLookupError: The process is gone, or its group is this process's own.
    """
    process = os.pidfd_open(pid)
    try:
        group = os.getpgid(pid)
        if group == os.getpgid(0):
            raise ProcessLookupError(f"process {pid} is not in a sandbox any more")
        signal.pidfd_send_signal(process, 0)  # it is there still, so the number was its own when its group was read
        if group != pid or not _kill_led_group(process, number):
            os.killpg(group, number)
    finally:
        os.close(process)


def _kill_led_group(leader: int, number: int) -> bool:
    """Send a signal to the group of which the process behind a descriptor is the first; false where the kernel cannot
    do that."""
    try:
        signal.pidfd_send_signal(leader, number, None, _TO_GROUP)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return False
        raise
    return True
