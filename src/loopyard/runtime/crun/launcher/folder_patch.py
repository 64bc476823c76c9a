"""Makes a patch of what was changed in a folder of a sandbox since its disk was kept.

Like `changes`, this looks only at what differs from the image. What is on the disk may be hostile, and may change
meanwhile: nothing of it is run, no link is followed, and names, bytes and depth are limited.
"""

import os
import stat
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from loopyard.runtime.crun.launcher.layered_folders import LayeredFolder, are_copies, reach, top_folder
from loopyard.runtime.crun.launcher.requests import Answer, Compare, Done
from loopyard.runtime.layout import write_whole
from loopyard.runtime.patches.writer import Patch, PatchWriter, Version

SKIPPED = frozenset(
    (
        *(".git", ".hg", ".svn", "__pycache__", "node_modules", ".venv", "venv", ".tox", ".nox", ".cache", ".npm"),
        *(".mypy_cache", ".pytest_cache", ".ruff_cache"),
    )
)
"""Folders that tools fill, not people."""

_LOOKED_AT = 20_000
_DEEPEST = 60
_MOST_SKIPPED = 20
_READ_BYTES = 128 << 20
_READ_BYTES_OF_FILE = 1 << 20
_MOST_LINKS = 20


@dataclass(slots=True)
class FolderPatch:
    """A patch; `skipped` are folders that were not looked into, though something in them may differ. `complete` is
    false where there was more than is looked at."""

    patch: Patch
    skipped: list[str] = field(default_factory=list[str])
    complete: bool = True


def compare(answer: Answer, request: Compare) -> None:
    """Write a patch into the report, unless there is one: a `FolderChanges`, with its bytes as Latin-1. None is written
    where no disk was kept."""
    if not os.path.exists(request.report) and os.path.exists(request.baseline):
        found = folder_patch(request.disk, request.baseline, request.image, request.path)
        patch = found.patch
        content = {
            "patch": patch.data.decode("latin-1"),
            "files": patch.files,
            "left_out": patch.left_out,
            "added": patch.added,
            "removed": patch.removed,
            "skipped": found.skipped,
            "complete": found.complete,
        }
        write_whole(Path(request.report), content)
    answer(Done())


def folder_patch(disk: str, kept: str, image: str, path: str) -> FolderPatch:
    """Patch from the folder at `path` on the disk `kept` to that on `disk`, both over `image`."""
    with top_folder(kept, image) as before, top_folder(disk, image) as after:
        walk = _Walk(copied=are_copies(before, after))
        names = [name for name in _resolved(before, path).split("/") if name]
        try:
            if names:
                reach(before, after, names, "", walk.start)
            else:
                walk.folder(before, after, "", 0)
        except OSError:
            walk.complete = False
    return FolderPatch(walk.writer.patch(), walk.skipped, walk.complete)


def _resolved(top: LayeredFolder, path: str) -> str:
    """A path without the links on its way."""
    for _ in range(_MOST_LINKS):
        names = [name for name in path.split("/") if name]
        found = _first_link(top, names, 0)
        if found is None:
            break
        place, target = found
        path = os.path.normpath("/".join(["", *names[:place], target, *names[place + 1 :]]))
        if target.startswith("/"):
            path = os.path.normpath("/".join([target, *names[place + 1 :]]))
    return path


def _first_link(folder: LayeredFolder, names: list[str], place: int) -> tuple[int, str] | None:
    if place == len(names):
        return None
    found, in_upper = folder.look(names[place])
    if found is None:
        return None
    if stat.S_ISLNK(found.st_mode):
        return place, os.readlink(names[place], dir_fd=folder.of(in_upper))
    with folder.below(names[place]) as inner:
        return _first_link(inner, names, place + 1)


class _Walk:
    def __init__(self, *, copied: bool) -> None:
        self.writer = PatchWriter()
        self.skipped: list[str] = []
        self.complete = True
        self._copied = copied
        self._names_left = _LOOKED_AT
        self._bytes_left = _READ_BYTES

    def start(self, before: LayeredFolder, after: LayeredFolder, name: str, _path: str) -> None:
        """Compare the folder of this name, whatever it is called."""
        with before.below(name) as inner_before, after.below(name) as inner_after:
            self.folder(inner_before, inner_after, "", 0)

    def folder(self, before: LayeredFolder, after: LayeredFolder, path: str, depth: int) -> None:
        """Compare what is in a folder. `path` is that of the folder with a slash at its end, or empty."""
        if depth > _DEEPEST:
            self.complete = False
            return
        sources = [before.upper, after.upper]
        if (before.lower is None) != (after.lower is None):  # one of them hides what the image has
            sources += [before.lower, after.lower]
        names: set[str] = set()
        for source in sources:
            names |= self._names(source)
        for name in sorted(names):
            try:
                self._entry(before, after, name, path, depth)
            except OSError:
                self.complete = False

    def _entry(self, before: LayeredFolder, after: LayeredFolder, name: str, path: str, depth: int) -> None:
        (was, was_upper), (now, now_upper) = before.look(name), after.look(name)
        folders = [found is not None and stat.S_ISDIR(found.st_mode) for found in (was, now)]
        if any(folders):
            if name in SKIPPED:
                self._skip(path + name)
                return
            with before.below(name) as inner_before, after.below(name) as inner_after:
                self.folder(inner_before, inner_after, f"{path}{name}/", depth + 1)
        if (
            was is not None
            and now is not None
            and not any(folders)
            and self._is_untouched(was, now, was_upper, now_upper)
        ):
            return
        old = None if was is None else self._version(before.of(was_upper), name, was)
        new = None if now is None else self._version(after.of(now_upper), name, now)
        if old is not None or new is not None:
            self.writer.add(os.fsencode(path + name), old, new)

    def _is_untouched(self, was: os.stat_result, now: os.stat_result, was_upper: bool, now_upper: bool) -> bool:
        if not was_upper and not now_upper:
            return True
        if was_upper != now_upper:
            return False
        if self._copied:  # a file of which both copies are too large to be read is told by its size and time
            return was.st_size > _READ_BYTES_OF_FILE and (was.st_size, was.st_mtime_ns) == (
                now.st_size,
                now.st_mtime_ns,
            )
        return (was.st_ino, was.st_ctime_ns) == (now.st_ino, now.st_ctime_ns)

    def _version(self, folder: int, name: str, found: os.stat_result) -> Version | None:
        """A file or link as it is; None for what a patch cannot have."""
        if stat.S_ISLNK(found.st_mode):
            target = os.fsencode(os.readlink(name, dir_fd=folder))
            return Version(0o120000, target, len(target))
        if not stat.S_ISREG(found.st_mode):
            return None
        mode = 0o100755 if found.st_mode & 0o100 else 0o100644
        if found.st_size > min(_READ_BYTES_OF_FILE, self._bytes_left):
            return Version(mode, None, found.st_size)
        data = _read(folder, name)
        self._bytes_left -= len(data)
        return Version(mode, data, len(data))

    def _skip(self, path: str) -> None:
        if len(self.skipped) < _MOST_SKIPPED:
            self.skipped.append(os.fsencode(path).decode(errors="replace"))
        else:
            self.complete = False

    def _names(self, folder: int | None) -> set[str]:
        if folder is None:
            return set()
        with os.scandir(folder) as entries:
            names = {entry.name for entry in islice(entries, self._names_left)}
            if next(entries, None) is not None:
                self.complete = False
        self._names_left -= len(names)
        return names


def _read(folder: int, name: str) -> bytes:
    """A file's bytes, of which there are no more than may be read, even if it grows."""
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with open(file, "rb") as opened:
        if not stat.S_ISREG(os.fstat(file).st_mode):  # it was replaced since it was looked at
            raise FileNotFoundError("the file is gone")
        return opened.read(_READ_BYTES_OF_FILE)
