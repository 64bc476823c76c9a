"""A folder in memory, for what must outlive the server but never lie on a disk: the values of secrets."""

import logging
import os
import stat
from pathlib import Path

from loopyard.runtime.errors import RuntimeUnavailable

log = logging.getLogger("loopyard.runtime")

_SHARED = Path("/dev/shm")  # noqa: S108  (a tmpfs everywhere, which /run is not)
_MOUNTS = Path("/proc/mounts")


def memory_folder(name: str) -> Path:
    """This user's folder of this name, made if it is not there. It goes with the machine's power.

    Raises:
        RuntimeUnavailable: Somebody else has put something in its place.
    """
    top = _SHARED / f"loopyard-{os.geteuid()}"
    try:
        top.mkdir(mode=0o700, exist_ok=True)
        found = top.lstat()
    except OSError as error:
        raise RuntimeUnavailable(f"The folder {top}, for secrets, cannot be used: {error.strerror}.") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise RuntimeUnavailable(f"{top} is not this user's alone (mode 0700), so it cannot hold secrets. Remove it.")
    if not any(line.split()[1:3] == [str(_SHARED), "tmpfs"] for line in _MOUNTS.read_text().splitlines()):
        log.warning("%s is not in memory here, so secrets of running devboxes lie on its disk", _SHARED)
    folder = top / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
