"""A root file system as a stack of layers, looked at without mounting it.

Layers are folders as the kernel's overlay keeps them: whiteouts are character devices 0:0, and opaque folders have an
attribute. Nobody changes them any more. What is in them is hostile: links are followed by hand, and never out of the
root.
"""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_OPAQUE = "trusted.overlay.opaque"
_MOST_LINKS = 40
_MOST_READ_BYTES = 1 << 20

Kind = Literal["folder", "file", "link", "other"]


@dataclass(frozen=True, slots=True)
class Entry:
    """Something in a root file system. `reals` is where it is on the host: of a folder in each layer that has it, from
    the top; of all else one place. `target` is where a link leads."""

    kind: Kind
    status: os.stat_result
    reals: tuple[str, ...]
    target: str = ""

    @property
    def real(self) -> str:
        return self.reals[0]

    @property
    def mode(self) -> int:
        return stat.S_IMODE(self.status.st_mode)


class Merged:
    """A stack of layers. `layers` are the folders, from the top."""

    def __init__(self, layers: Sequence[str]) -> None:
        self.layers = tuple(layers)

    def root(self) -> Entry:
        return Entry("folder", os.lstat(self.layers[0]), self.layers)

    def within(self, folder: Entry, name: str) -> Entry | None:
        """Give what is in a folder under this name; a link is not followed."""
        found: list[str] = []
        first: os.stat_result | None = None
        for real in folder.reals:
            path = f"{real}/{name}"
            try:
                status = os.lstat(path)
            except OSError:
                continue
            mode = status.st_mode
            if stat.S_ISCHR(mode) and status.st_rdev == 0:
                break
            if not stat.S_ISDIR(mode):
                return _entry(path, status) if first is None else Entry("folder", first, tuple(found))
            first = first or status
            found.append(path)
            if is_opaque(path):
                break
        return None if first is None else Entry("folder", first, tuple(found))

    def names(self, folder: Entry) -> list[str]:
        """The names in a folder, in order."""
        seen: dict[str, bool] = {}
        for real in folder.reals:
            with os.scandir(real) as entries:
                for entry in entries:
                    if entry.name not in seen:
                        seen[entry.name] = not _is_whiteout(entry)
        return sorted(name for name, there in seen.items() if there)

    def find(self, path: str, *, follow: bool = True) -> Entry | None:
        """Give what is at a path, through links that stay inside; the last one only if `follow`."""
        return self.walk(path, follow=follow)[1]

    def resolve(self, path: str) -> str | None:
        """The path without links in it; None where nothing is there."""
        resolved, entry = self.walk(path)
        return None if entry is None else resolved

    def children(self, path: str) -> list[tuple[str, Entry]]:
        """Give what is in a folder, in the order of names; nothing where there is none."""
        folder = self.find(path)
        if folder is None or folder.kind != "folder":
            return []
        found = ((name, self.within(folder, name)) for name in self.names(folder))
        return [(name, entry) for name, entry in found if entry is not None]

    def walk(self, path: str, *, follow: bool = True) -> tuple[str, Entry | None]:
        """The path without links in it, as far as it leads, and what is there. What is missing at the end of a path
        stays as it is written. Links that go round in a circle lead to nothing."""
        todo = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        trail: list[tuple[str, Entry]] = [("", self.root())]
        links = 0
        while todo:
            name = todo.pop()
            if name == "..":
                trail = trail[:-1] if len(trail) > 1 else trail
                continue
            here = trail[-1][1]
            entry = self.within(here, name) if here.kind == "folder" else None
            if entry is None:
                names = [one for one, _ in trail[1:]] + [name, *reversed(todo)]
                return os.path.normpath("/" + "/".join(names)).lstrip("/"), None
            if entry.kind == "link" and (todo or follow):
                links += 1
                if links > _MOST_LINKS:
                    return os.path.normpath("/" + path).lstrip("/"), None
                if entry.target.startswith("/"):
                    trail = trail[:1]
                todo += [part for part in reversed(entry.target.split("/")) if part not in ("", ".")]
                continue
            trail.append((name, entry))
        return "/".join(one for one, _ in trail[1:]), trail[-1][1]

    def read(self, path: str) -> str:
        """The text of a small file; empty where there is none."""
        entry = self.find(path)
        if entry is None or entry.kind != "file":
            return ""
        try:
            with open(entry.real, "rb") as file:  # noqa: PTH123
                return file.read(_MOST_READ_BYTES).decode(errors="replace")
        except OSError:
            return ""


def is_opaque(path: str) -> bool:
    """Tell whether a folder of a layer hides what is below it."""
    try:
        return os.getxattr(path, _OPAQUE, follow_symlinks=False) == b"y"
    except OSError:
        return False


def _entry(path: str, status: os.stat_result) -> Entry:
    mode = status.st_mode
    if stat.S_ISREG(mode):
        return Entry("file", status, (path,))
    if stat.S_ISLNK(mode):
        return Entry("link", status, (path,), os.readlink(path))  # noqa: PTH115
    return Entry("other", status, (path,))


def _is_whiteout(entry: "os.DirEntry[str]") -> bool:
    if entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False) or entry.is_symlink():
        return False
    status = entry.stat(follow_symlinks=False)
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0
