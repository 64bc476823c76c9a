"""The folders of a sandbox's disk as the sandbox sees them: what differs from its image, over the image."""

import os
import stat
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")


@dataclass(frozen=True, slots=True)
class LayeredFolder:
    """A folder as the sandbox sees it: what differs from the image, and the image's own below it; both can be None."""

    upper: int | None
    lower: int | None

    def look(self, name: str) -> tuple[os.stat_result | None, bool]:
        """Look at a path, and whether it differs from the image."""
        found = _stat(self.upper, name)
        if found is not None:
            return (None if _is_whiteout(found) else found), True
        return _stat(self.lower, name), False

    def of(self, in_upper: bool) -> int:
        """The folder that a name was found in, as `look` told.

        Raises:
            FileNotFoundError: It is not there.
        """
        found = self.upper if in_upper else self.lower
        if found is None:
            raise FileNotFoundError("the folder is not there")
        return found

    @contextmanager
    def below(self, name: str) -> Generator["LayeredFolder"]:
        """The folder of this name; an empty one if there is none."""
        covered = _stat(self.upper, name)
        upper = _open(self.upper, name)
        hidden = covered is not None and (upper is None or _is_opaque(upper))
        lower = None if hidden else _open(self.lower, name)
        try:
            yield LayeredFolder(upper, lower)
        finally:
            for descriptor in (upper, lower):
                if descriptor is not None:
                    os.close(descriptor)


@contextmanager
def top_folder(disk: str, image: str) -> Generator[LayeredFolder]:
    """The root folder of a disk over an image."""
    upper, lower = os.open(f"{disk}/upper", _FOLDER), os.open(image, _FOLDER)
    try:
        yield LayeredFolder(upper, lower)
    finally:
        os.close(upper)
        os.close(lower)


def reach(
    before: LayeredFolder,
    after: LayeredFolder,
    names: Sequence[str],
    path: str,
    act: Callable[[LayeredFolder, LayeredFolder, str, str], None],
) -> None:
    """Go down to the last name. Links on the way are not followed."""
    name, *rest = names
    path = f"{path}/{name}"
    if not rest:
        act(before, after, name, path)
        return
    with before.below(name) as inner_before, after.below(name) as inner_after:
        reach(inner_before, inner_after, rest, path, act)


def are_copies(before: LayeredFolder, after: LayeredFolder) -> bool:
    """True if two disks, by their root folders, are copies, not snapshots: then inodes tell nothing."""
    return before.upper is None or after.upper is None or os.fstat(before.upper).st_ino != os.fstat(after.upper).st_ino


def _stat(folder: int | None, name: str) -> os.stat_result | None:
    if folder is None:
        return None
    with suppress(FileNotFoundError):
        return os.lstat(name, dir_fd=folder)
    return None


def _open(folder: int | None, name: str) -> int | None:
    if folder is None:
        return None
    with suppress(FileNotFoundError, NotADirectoryError):
        return os.open(name, _FOLDER, dir_fd=folder)
    return None


def _is_whiteout(found: os.stat_result) -> bool:
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def _is_opaque(folder: int) -> bool:
    for name in _OPAQUE:
        with suppress(OSError):
            if os.getxattr(folder, name) == b"y":
                return True
    return False
