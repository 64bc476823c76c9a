"""Engines in namespaces of their own, so that one cannot touch this machine's firewall or leave a process behind."""

import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

# Where version 2 of the control groups is mounted beside version 1, crun refuses to start: cover it, as Loopyard does.
# The shell stays as process 1, to take in the processes that the engine lets go.
_SCRIPT = """
ip link set lo up
if [ ! -e /sys/fs/cgroup/cgroup.controllers ] && [ -d /sys/fs/cgroup/unified ]; then
    umount /sys/fs/cgroup/unified
    mount -t tmpfs -o size=64m tmpfs /sys/fs/cgroup/unified
fi
"$@" &
wait
"""


@contextmanager
def private_daemon(command: Sequence[str | Path], log: Path) -> Generator[int]:
    """Run a daemon with its output in `log`; at the end it and all that it started are killed. Gives the id of the
    process that holds it."""
    unshare = ("unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child", "--")
    own = ("setpriv", "--pdeathsig", "KILL", "--")  # it goes with this process, also if that is killed
    with log.open("wb") as output:
        holder = subprocess.Popen(
            (*own, *unshare, "sh", "-c", _SCRIPT, "sh", *command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield holder.pid
    finally:
        holder.kill()
        holder.wait()


def inside(holder: int, *command: str | Path) -> tuple[str | Path, ...]:
    """The command line that runs this in the namespaces of a daemon that has started."""
    first = Path(f"/proc/{holder}/task/{holder}/children").read_text().split()[0]
    return ("nsenter", "--target", first, "--mount", "--net", "--pid", "--", *command)
