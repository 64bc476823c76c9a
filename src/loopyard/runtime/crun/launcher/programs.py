"""Runs the host's programs from the launcher, as small as can be: `subprocess` would cost a millisecond more."""

import os
import signal
from collections.abc import Sequence


class ProgramFailed(OSError):
    """A program did not exit with 0; the message holds what it printed."""


def start(argv: Sequence[str], stdin: int, stdout: int, stderr: int) -> int:
    """Start a program with these descriptors as its standard streams, and no others. Returns its process id.

    It ignores the signals that the launcher ignores no longer.
    """
    actions = [(os.POSIX_SPAWN_DUP2, fd, target) for target, fd in enumerate((stdin, stdout, stderr))]
    defaults = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE)
    return os.posix_spawnp(argv[0], list(argv), os.environ, file_actions=actions, setsigdef=defaults)


def kill_group(pid: int, number: int) -> None:
    """Send a signal to the process group that a command of a sandbox is in: crun makes it in a process that is between
    the two, so that the group's number is not the command's.

    Raises:
        ProcessLookupError: The process is gone, or its group is this process's own.
    """
    group = os.getpgid(pid)
    if group == os.getpgid(0):
        raise ProcessLookupError(f"process {pid} is not in a sandbox any more")
    os.killpg(group, number)


def run(argv: Sequence[str], stdin: bytes = b"", *, fine: Sequence[int] = (0,)) -> None:
    """Run a program to its end.

    Raises:
        ProgramFailed: It exited with a status that is not among `fine`.
    """
    given, output = os.memfd_create("stdin"), os.memfd_create("output")
    os.write(given, stdin)
    os.lseek(given, 0, os.SEEK_SET)
    status = os.waitstatus_to_exitcode(os.waitpid(start(argv, given, output, output), 0)[1])
    printed = os.pread(output, 4096, 0).decode(errors="replace").strip()
    os.close(given)
    os.close(output)
    if status not in fine:
        raise ProgramFailed(f"{argv[0]} ended with {status}: {printed}")
