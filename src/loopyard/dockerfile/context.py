"""Build context: a folder whose files a Dockerfile copies, without those that its ignore file leaves out."""

import os
import posixpath
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Literal

from loopyard.dockerfile import bounds
from loopyard.dockerfile.errors import DockerfileError
from loopyard.dockerfile.ignore import Matcher, Results, ignore_file_names, ignore_patterns
from loopyard.dockerfile.patterns import BadPattern
from loopyard.dockerfile.plan import Place

_MOST_LINKS = 40
_MOST_IGNORE_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """Something in a folder on disk. `real` is where; `target` is where a link leads."""

    kind: Literal["folder", "file", "link", "other"]
    mode: int
    real: str
    target: str = ""


class FolderTree:
    """A folder on disk that nobody else changes. Links are followed by hand, and never out of it."""

    def __init__(self, folder: FilePath) -> None:
        self._root = os.fspath(folder)

    def find(self, path: str, *, follow: bool = True) -> FolderEntry | None:
        """Entry at a path, through links that stay inside; the last one only if `follow`."""
        return self._walk(path, follow=follow)[1]

    def resolve(self, path: str) -> str | None:
        """The path without links in it; None where nothing is there."""
        resolved, entry = self._walk(path, follow=True)
        return None if entry is None else resolved

    def children(self, path: str) -> list[tuple[str, FolderEntry]]:
        """Entries of a folder, in the order of names."""
        entry = self.find(path)
        if entry is None or entry.kind != "folder":
            return []
        found = ((name, _entry(f"{entry.real}/{name}")) for name in sorted(os.listdir(entry.real)))  # noqa: PTH208
        return [(name, one) for name, one in found if one is not None]

    def _walk(self, path: str, *, follow: bool) -> tuple[str, FolderEntry | None]:
        todo = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        trail: list[str] = []
        entry = _entry(self._root)
        links = 0
        while todo:
            name = todo.pop()
            if name == "..":
                trail = trail[:-1]
                entry = _entry(posixpath.join(self._root, *trail))
                continue
            if entry is None or entry.kind != "folder":
                return "", None
            inside = _entry(posixpath.join(self._root, *trail, name))
            if inside is not None and inside.kind == "link" and (todo or follow):
                links += 1
                if links > _MOST_LINKS:
                    return "", None
                trail = [] if inside.target.startswith("/") else trail
                entry = _entry(posixpath.join(self._root, *trail))
                todo += [part for part in reversed(inside.target.split("/")) if part not in ("", ".")]
                continue
            trail.append(name)
            entry = inside
        return "/".join(trail), entry


def _entry(path: str) -> FolderEntry | None:
    try:
        status = os.lstat(path)
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISLNK(status.st_mode):
            return FolderEntry("link", mode, path, os.readlink(path))  # noqa: PTH115
    except OSError:
        return None
    if stat.S_ISDIR(status.st_mode):
        return FolderEntry("folder", mode, path)
    return FolderEntry("file" if stat.S_ISREG(status.st_mode) else "other", mode, path)


def ignore_matcher(folder: FilePath, dockerfile: str = "Dockerfile") -> Matcher | None:
    """The patterns of the context's ignore file: `Dockerfile.dockerignore`, else `.dockerignore`; None without either.

    Raises:
        DockerfileError: One of its patterns has no meaning, with its line.
    """
    tree = FolderTree(folder)
    for name in ignore_file_names(dockerfile):
        entry = tree.find(name)
        if entry is None or entry.kind != "file":
            continue
        with open(entry.real, "rb") as file:  # noqa: PTH123
            content = file.read(_MOST_IGNORE_BYTES + 1)
        if len(content) > _MOST_IGNORE_BYTES:
            raise DockerfileError(Place(name, 1, 1, ""), f"It has more than {_MOST_IGNORE_BYTES >> 20} MiB.")
        return _matcher(name, content.decode(errors="replace"))
    return None


def _matcher(name: str, text: str) -> Matcher:
    try:
        return Matcher(ignore_patterns(text))
    except BadPattern as bad:
        for number, line in enumerate(text.split("\n"), 1):
            try:
                Matcher(ignore_patterns(line))
            except BadPattern as why:
                raise DockerfileError(Place(name, number, 1, line), f"{why}.") from why
        raise DockerfileError(Place(name, 1, 1, ""), f"{bad}.") from bad


def left_out(folder: FilePath, matcher: Matcher) -> Iterator[str]:
    """The paths that are left out of a context, relative to it: of a folder of which nothing is kept, only the folder.

    Raises:
        DockerfileError: It is too much work.
    """
    tree = FolderTree(folder)
    place = Place(ignore_file_names()[1], 1, 1, "")
    waiting: list[tuple[str, Results]] = [("", ())]
    # Folders that are left out but for something in them; whether there is such a thing shows when all is seen.
    unsure: dict[str, bool] = {}
    try:
        count = 0
        while waiting:
            path, results = waiting.pop()
            for name, entry in tree.children(path):
                count += 1
                if count > bounds.MOST_ENTRIES:
                    raise DockerfileError(place, f"A context has at most {bounds.MOST_ENTRIES} files.")
                here = posixpath.join(path, name)
                out, found = matcher.match(here, results)
                if entry.kind == "folder" and (not out or matcher.may_keep_below(here)):
                    waiting.append((here, found))
                    if out:
                        unsure[here] = False
                        continue
                if out:
                    yield here
                else:
                    _keep(unsure, here)
    except BadPattern as bad:
        raise DockerfileError(place, f"{bad}.") from bad
    # The deepest first, so that each is empty when it is its turn.
    yield from sorted((path for path, kept in unsure.items() if not kept), key=lambda path: -path.count("/"))


def _keep(unsure: dict[str, bool], path: str) -> None:
    while path := posixpath.dirname(path):
        if unsure.get(path, False):
            return
        if path in unsure:
            unsure[path] = True


def prune(folder: FilePath, dockerfile: str = "Dockerfile") -> None:
    """Delete from a context, which is the build's own, what its ignore file leaves out.

    Raises:
        DockerfileError: The ignore file has a pattern without meaning, or is too much work.
    """
    matcher = ignore_matcher(folder, dockerfile)
    if matcher is None or not matcher:
        return
    root = os.fspath(folder)
    for path in list(left_out(folder, matcher)):
        real = f"{root}/{path}"
        if os.path.islink(real) or not os.path.isdir(real):  # noqa: PTH112, PTH114
            os.unlink(real)  # noqa: PTH108
        else:
            shutil.rmtree(real)
