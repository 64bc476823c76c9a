"""A disk in memory, with users, modes and links, as a kernel would have it."""

import copy
import errno
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from tests.unit.fake_runtime.streams import Pipe

READ, WRITE, SEARCH = 4, 2, 1
_MOST_LINKS = 40
_LONGEST_NAME = 255
_LONGEST_PATH = 4095


@dataclass(frozen=True, slots=True)
class Who:
    """In whose name something is done."""

    uid: int
    gid: int


ROOT = Who(0, 0)


@dataclass(eq=False, slots=True, kw_only=True)
class Node:
    """What a name leads to. `mode` is its permissions alone; `links` counts its names."""

    mode: int
    uid: int = 0
    gid: int = 0
    links: int = 0
    changed: float = field(default_factory=time.time)


@dataclass(eq=False, slots=True)
class File(Node):
    """`program` names what it does when it is run, if it is no script."""

    data: bytearray = field(default_factory=bytearray)
    program: str | None = None


@dataclass(eq=False, slots=True)
class Folder(Node):
    names: dict[str, Node] = field(default_factory=dict[str, Node])


@dataclass(eq=False, slots=True)
class Link(Node):
    target: str = ""


@dataclass(eq=False, slots=True)
class Fifo(Node):
    """A named pipe. Copies of a disk do not share what is in it."""

    pipe: Pipe = field(default_factory=Pipe)

    def __deepcopy__(self, _: object) -> "Fifo":
        return Fifo(mode=self.mode, uid=self.uid, gid=self.gid, links=self.links)


@dataclass(eq=False, slots=True)
class Device(Node):
    kind: str = "null"


def fail(number: int, path: str = "") -> NoReturn:
    """Raise what the kernel would answer."""
    raise OSError(number, os.strerror(number), path)


def allows(node: Node, who: Who, wanted: int) -> bool:
    """Whether the mode lets somebody do this."""
    if who.uid == 0:
        return wanted != SEARCH or isinstance(node, Folder) or bool(node.mode & 0o111)
    shift = 6 if who.uid == node.uid else 3 if who.gid == node.gid else 0
    return (node.mode >> shift) & wanted == wanted


class Disk:
    """A tree of nodes below one folder. Paths are absolute; every method raises OSError as the kernel would."""

    def __init__(self, root: Folder | None = None) -> None:
        self.root = root or Folder(mode=0o755, links=2)

    def copy(self) -> "Disk":
        """The whole as it is now, apart from this one."""
        return Disk(copy.deepcopy(self.root))

    def nodes(self) -> Iterator[Node]:
        """Everything on it, each once."""
        seen: set[int] = set()
        waiting: list[Node] = [self.root]
        while waiting:
            node = waiting.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            yield node
            if isinstance(node, Folder):
                waiting += node.names.values()

    def size(self) -> int:
        """Bytes of all files."""
        return sum(len(node.data) for node in self.nodes() if isinstance(node, File))

    def get(self, path: str, who: Who = ROOT, *, follow: bool = True) -> Node:
        """What a path leads to, through a link at its end or not."""
        folder, name = self._walk(path, who, follow=follow)
        if name in ("", "."):
            return folder
        node = folder.names.get(name)
        if node is None:
            fail(errno.ENOENT, path)
        if path.endswith("/") and not isinstance(node, Folder):
            fail(errno.ENOTDIR, path)
        return node

    def exists(self, path: str, who: Who = ROOT, *, follow: bool = True) -> bool:
        try:
            self.get(path, who, follow=follow)
        except OSError:
            return False
        return True

    def place(self, path: str, who: Who = ROOT, *, follow: bool = True) -> tuple[Folder, str]:
        """The folder that a path's last name is in, or would be in, and that name."""
        return self._walk(path, who, follow=follow)

    def folder(self, path: str, who: Who = ROOT) -> Folder:
        """A folder, which the caller may look into."""
        node = self.get(path, who)
        if not isinstance(node, Folder):
            fail(errno.ENOTDIR, path)
        return node

    def entries(self, path: str, who: Who = ROOT) -> list[str]:
        node = self.folder(path, who)
        if not allows(node, who, READ):
            fail(errno.EACCES, path)
        return sorted(node.names)

    def file(self, path: str, who: Who = ROOT, *, wanted: int = READ) -> File:
        """An ordinary file, which the caller may read, or do else with what `wanted` says."""
        node = self.get(path, who)
        if not isinstance(node, File):
            fail(errno.EISDIR if isinstance(node, Folder) else errno.EINVAL, path)
        if not allows(node, who, wanted):
            fail(errno.EACCES, path)
        return node

    def add(self, path: str, node: Node, who: Who = ROOT, *, replace: bool = False) -> None:
        """Give a node a name."""
        folder, name = self._walk(path, who, follow=False)
        if name in ("", ".", ".."):
            fail(errno.EEXIST, path)
        if len(name.encode()) > _LONGEST_NAME:
            fail(errno.ENAMETOOLONG, path)
        if name in folder.names and not replace:
            fail(errno.EEXIST, path)
        if not allows(folder, who, WRITE | SEARCH):
            fail(errno.EACCES, path)
        if name in folder.names:
            self._drop(folder, name)
        folder.names[name] = node
        node.links += 1

    def make(self, path: str, node: Node, who: Who) -> None:
        """Add something new, which belongs to whoever makes it."""
        node.uid, node.gid = who.uid, who.gid
        self.add(path, node, who)

    def open_new(self, path: str, who: Who, mode: int) -> File:
        """The file of this name, made if there is none; a link at the end is followed, also to where nothing is."""
        folder, name = self._walk(path, who, follow=True)
        node = folder.names.get(name) if name not in ("", ".") else folder
        if node is None:
            if path.endswith("/"):
                fail(errno.EISDIR, path)
            if len(name.encode()) > _LONGEST_NAME:
                fail(errno.ENAMETOOLONG, path)
            if not allows(folder, who, WRITE | SEARCH):
                fail(errno.EACCES, path)
            node = folder.names[name] = File(mode=mode, uid=who.uid, gid=who.gid, links=1)
            return node
        if not isinstance(node, File):
            fail(errno.EISDIR if isinstance(node, Folder) else errno.EINVAL, path)
        if not allows(node, who, WRITE):
            fail(errno.EACCES, path)
        return node

    def remove(self, path: str, who: Who = ROOT) -> None:
        """Take a name away; a folder must be empty."""
        folder, name = self._walk(path, who, follow=False)
        node = folder.names.get(name)
        if node is None:
            fail(errno.ENOENT, path)
        self._may_take(folder, node, who, path)
        if isinstance(node, Folder) and node.names:
            fail(errno.ENOTEMPTY, path)
        self._drop(folder, name)

    def move(self, old: str, new: str, who: Who = ROOT) -> None:
        folder, name = self._walk(old, who, follow=False)
        node = folder.names.get(name)
        if node is None:
            fail(errno.ENOENT, old)
        self._may_take(folder, node, who, old)
        self.add(new, node, who, replace=True)
        self._drop(folder, name)

    def make_folders(self, path: str, who: Who, mode: int = 0o755) -> None:
        """A folder and all that it lies in, as far as they are not there."""
        reached = ""
        for part in path.split("/"):
            if part in ("", "."):
                continue
            reached = f"{reached}/{part}"
            try:
                node = self.get(reached, who)
            except FileNotFoundError:
                self.make(reached, Folder(mode=mode), who)
                continue
            if not isinstance(node, Folder):
                fail(errno.ENOTDIR, path)

    def _may_take(self, folder: Folder, node: Node, who: Who, path: str) -> None:
        sticky = folder.mode & stat.S_ISVTX and who.uid not in (0, folder.uid, node.uid)
        if sticky or not allows(folder, who, WRITE | SEARCH):
            fail(errno.EACCES, path)

    def _drop(self, folder: Folder, name: str) -> None:
        folder.names.pop(name).links -= 1

    def _walk(self, path: str, who: Who, *, follow: bool) -> tuple[Folder, str]:
        """The last folder on a path, and the name in it."""
        if "\0" in path:
            fail(errno.EINVAL, path)
        if len(path.encode()) > _LONGEST_PATH:
            fail(errno.ENAMETOOLONG, path)
        parts = [part for part in path.split("/") if part not in ("", ".")][::-1]
        above: list[Folder] = []
        here, links = self.root, 0
        while parts:
            name = parts.pop()
            if not allows(here, who, SEARCH):
                fail(errno.EACCES, path)
            if name == "..":
                here = above.pop() if above else self.root
                continue
            node = here.names.get(name)
            if isinstance(node, Link) and (parts or follow):
                links += 1
                if links > _MOST_LINKS:
                    fail(errno.ELOOP, path)
                if node.target.startswith("/"):
                    here, above = self.root, []
                parts += [part for part in node.target.split("/") if part not in ("", ".")][::-1]
                continue
            if not parts:
                return here, name
            if node is None:
                fail(errno.ENOENT, path)
            if not isinstance(node, Folder):
                fail(errno.ENOTDIR, path)
            above.append(here)
            here = node
        return here, "."
