"""Makes one folder of the layers of an image: `python -m loopyard.runtime.crun.building.export mounted FOLDER TARGET`
for an overlay that is mounted, `… export layers TARGET LAYER...`, from the top, or `… export onto TARGET LAYER...`
where the lowest one is there already.

The files are hard links to those of the layers, which nobody changes: a large image takes no longer than its number of
files asks for, and no space. Where the two are not on the same file system, they are copied.
"""

import contextlib
import errno
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from loopyard.runtime.syscalls import umount

_OPAQUE = "trusted.overlay.opaque"
_OVERLAY = "trusted.overlay."
_CAPABILITY = "security.capability"
_MOUNTS = Path("/proc/self/mountinfo")


def main() -> None:
    kind, *given = sys.argv[1:]
    if kind == "mounted":
        lowers, upper = layers(given[0])
        target = Path(given[1])
        target.mkdir()
        with contextlib.suppress(OSError):
            # buildah mounts it on itself, and links do not go from one mount to another.
            umount(str(Path(upper).parents[1]))
        for layer in reversed(lowers):
            lay(Path(layer), target)
        shutil.copystat(lowers[0], target)
        return
    target, lowers = Path(given[0]), given[1:]
    try:
        if kind == "layers":
            _stack(lowers, target)
        else:
            lay_all(lowers, target)
    except OSError as error:
        sys.exit(error.errno if error.errno == errno.ENOSPC else error.strerror or type(error).__name__)


def _stack(lowers: Sequence[str], target: Path) -> None:
    """Make the folder of layers, of which the lowest is a whole root file system."""
    linked = subprocess.run(["cp", "--archive", "--link", lowers[-1], str(target)], check=False, capture_output=True)
    if linked.returncode != 0:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        lay(Path(lowers[-1]), target)
    lay_all(lowers[:-1] or lowers[-1:], target)


def lay_all(layers: Sequence[str], target: Path) -> None:
    """Put layers, of which the first is the topmost, over what is in `target`."""
    for layer in reversed(layers):
        lay(Path(layer), target)
    if layers:
        status = os.stat(layers[0])  # noqa: PTH116
        os.chown(target, status.st_uid, status.st_gid)
        shutil.copystat(layers[0], target)
        _forget_overlay(target)


def lay(layer: Path, target: Path, *, copy: bool = False) -> None:
    """Put a layer on top of what is in `target`: links to its files, or copies."""
    with os.scandir(layer) as entries:
        found = list(entries)
    for entry in found:
        if not copy and (entry.is_file(follow_symlinks=False) or entry.is_symlink()) and _link(entry, target):
            continue
        status = entry.stat(follow_symlinks=False)
        place = target / entry.name
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
            _remove(place)  # what the layer says is not there any more
        elif stat.S_ISDIR(status.st_mode):
            if not stat.S_ISDIR(_mode(place)) or _is_opaque(entry.path):
                _remove(place)
                place.mkdir()
            lay(Path(entry.path), place, copy=copy)
            os.chown(place, status.st_uid, status.st_gid)
            shutil.copystat(entry.path, place)
            _forget_overlay(place)
        else:
            _remove(place)
            _put(entry.path, place, status, copy=copy)


def _link(entry: os.DirEntry[str], target: Path) -> bool:
    """Link a file into a folder that has nothing of its name; false where that cannot be done."""
    try:
        os.link(entry.path, f"{target}/{entry.name}", follow_symlinks=False)
    except OSError:
        return False
    return True


def _put(source: str, place: Path, status: os.stat_result, *, copy: bool) -> None:
    if not copy:
        try:
            os.link(source, place, follow_symlinks=False)
        except OSError:  # another file system, or too many links
            pass
        else:
            return
    if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
        shutil.copy2(source, place, follow_symlinks=False)
    elif stat.S_ISFIFO(status.st_mode):
        os.mkfifo(place)
    else:
        return
    os.chown(place, status.st_uid, status.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        place.chmod(stat.S_IMODE(status.st_mode))
    if stat.S_ISREG(status.st_mode):
        with contextlib.suppress(OSError):  # the kernel takes them away with the owner
            os.setxattr(place, _CAPABILITY, os.getxattr(source, _CAPABILITY))


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


def _forget_overlay(folder: Path) -> None:
    """Remove from a folder what says how the kernel is to stack it."""
    for name in os.listxattr(folder):
        if name.startswith(_OVERLAY):
            with contextlib.suppress(OSError):
                os.removexattr(folder, name)


def layers(root: str) -> tuple[list[str], str]:
    """The folders of the overlay that is mounted at `root`: those below, and the one that is written to."""
    line = next(line for line in _MOUNTS.read_text().splitlines() if line.split()[4] == root)
    options: dict[str, str] = {}
    for option in line.split()[-1].split(","):
        name, _, value = option.partition("=")
        options[name] = value
    upper = _plain(options["upperdir"])
    below = [_plain(path) for path in options["lowerdir"].split(":") if path]
    home = os.path.dirname(os.path.dirname(upper))  # noqa: PTH120  (relative paths start at the storage's folder)
    return [path if path.startswith("/") else f"{home}/{path}" for path in below], upper


def _plain(path: str) -> str:
    """A path without the kernel's escapes."""
    for escape, character in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        path = path.replace(escape, character)
    return path


if __name__ == "__main__":
    main()
