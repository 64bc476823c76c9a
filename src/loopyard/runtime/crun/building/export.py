"""Makes one folder of the layers of an image: `python -m loopyard.runtime.crun.building.export MOUNTED TARGET`.

The files are hard links to those of the layers, which nobody changes: a large image takes no longer than its number of
files asks for, and no space. Fails where the two are not on the same file system.
"""

import contextlib
import os
import shutil
import stat
import sys
from pathlib import Path

from loopyard.runtime.crun.building.stack import layers
from loopyard.runtime.crun.syscalls import umount

_OPAQUE = "trusted.overlay.opaque"


def main() -> None:
    lowers, upper = layers(sys.argv[1])
    target = Path(sys.argv[2])
    target.mkdir()
    with contextlib.suppress(OSError):
        # buildah mounts it on itself, and links do not go from one mount to another.
        umount(str(Path(upper).parents[1]))
    for layer in reversed(lowers):
        lay(Path(layer), target)
    shutil.copystat(lowers[0], target)


def lay(layer: Path, target: Path) -> None:
    """Put a layer on top of what is in `target`."""
    with os.scandir(layer) as entries:
        found = list(entries)
    for entry in found:
        status = entry.stat(follow_symlinks=False)
        place = target / entry.name
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
            _remove(place)  # what the layer says is not there any more
        elif stat.S_ISDIR(status.st_mode):
            if not stat.S_ISDIR(_mode(place)) or _is_opaque(entry.path):
                _remove(place)
                place.mkdir()
            lay(Path(entry.path), place)
            os.chown(place, status.st_uid, status.st_gid)
            shutil.copystat(entry.path, place)
            with contextlib.suppress(OSError):
                os.removexattr(place, _OPAQUE)
        else:
            _remove(place)
            os.link(entry.path, place, follow_symlinks=False)


def _mode(place: Path) -> int:
    try:
        return place.lstat().st_mode
    except FileNotFoundError:
        return 0


def _remove(place: Path) -> None:
    mode = _mode(place)
    if stat.S_ISDIR(mode):
        shutil.rmtree(place)
    elif mode:
        place.unlink()


def _is_opaque(path: str) -> bool:
    try:
        return os.getxattr(path, _OPAQUE) == b"y"
    except OSError:
        return False


if __name__ == "__main__":
    main()
