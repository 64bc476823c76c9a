"""What /proc says of a process. Light, since the launcher forks with it all day."""


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
