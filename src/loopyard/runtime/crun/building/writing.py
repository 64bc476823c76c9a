"""Writes files into a layer that is being made, as COPY, ADD and WORKDIR do, without mounting anything."""

import contextlib
import os
import posixpath
import stat
from collections.abc import Callable, Mapping
from typing import BinaryIO

from loopyard.runtime.crun.building.merged import Entry, Merged

Owner = tuple[int, int]

_OVERLAY = "trusted.overlay."
_CHUNK_BYTES = 1 << 20


class CannotWrite(Exception):
    """A path that cannot be written; the message says why, for who wrote the Dockerfile."""


class TooMuch(Exception):
    """A step has written more than it may."""


class Writer:
    """Writes to `upper`, the changes of a layer, what lies over the layers `below`, from the top. Paths are of the
    image. Links that lead to a folder are followed, inside of the image. `check` is called now and then; it raises to
    stop the work."""

    def __init__(self, upper: str, below: tuple[str, ...], most_bytes: int, check: Callable[[], None]) -> None:
        self.view = Merged((upper, *below))
        self._upper = upper
        self._most_bytes = most_bytes
        self._written = 0
        self._check = check
        self._folders: dict[str, str] = {}
        self._parents: dict[str, Entry] = {}
        """Folders that are written to, as they are with this layer."""
        self._times: dict[str, tuple[int, int]] = {}

    def folder(self, path: str, *, mode: int = 0o755, owner: Owner = (0, 0)) -> str:
        """A folder, made with its parents where it is missing. Returns its path without links.

        Raises:
            CannotWrite: Something else is there.
        """
        self._check()
        if path in self._folders:
            return self._folders[path]
        resolved, entry = self.view.walk(path)
        if entry is not None and entry.kind != "folder":
            raise CannotWrite(f"/{resolved} is no folder")
        here, so_far = self.view.root(), ""
        for name in (one for one in resolved.split("/") if one):
            found = self.view.within(here, name)
            so_far = f"{so_far}/{name}".lstrip("/")
            if found is None:
                self._make(so_far, mode, owner)
                found = self.view.find(so_far, follow=False)
            elif found.kind != "folder":
                raise CannotWrite(f"/{so_far} is no folder")
            assert found is not None  # noqa: S101
            here = found
        self._folders[path] = resolved
        return resolved

    def _make(self, path: str, mode: int, owner: Owner) -> None:
        parent = posixpath.dirname(path)
        self._copy_up(parent)
        real = f"{self._upper}/{path}"
        os.mkdir(real, mode)  # noqa: PTH102
        os.chown(real, *owner)
        os.chmod(real, mode)  # noqa: PTH101

    def _copy_up(self, path: str) -> None:
        """Have a folder of the layers below in this one, too."""
        if not path or os.path.isdir(f"{self._upper}/{path}"):  # noqa: PTH112
            return
        self._copy_up(posixpath.dirname(path))
        found = self.view.find(path, follow=False)
        assert found is not None  # noqa: S101
        real = f"{self._upper}/{path}"
        os.mkdir(real)  # noqa: PTH102
        os.chown(real, found.status.st_uid, found.status.st_gid)
        os.chmod(real, found.mode)  # noqa: PTH101
        copy_attributes(found.real, real)
        self._times[real] = (found.status.st_atime_ns, found.status.st_mtime_ns)

    def change_folder(
        self,
        path: str,
        mode: int,
        owner: Owner,
        times: tuple[int, int] | None = None,
        attributes: Mapping[str, bytes] | None = None,
    ) -> None:
        """Give a folder that is there other metadata, and these extended attributes besides those that it has."""
        self._copy_up(path)
        real = f"{self._upper}/{path}".rstrip("/")
        os.chown(real, *owner)
        os.chmod(real, mode)  # noqa: PTH101
        _set_attributes(real, attributes or {})
        if times is not None:
            self._times[real] = times

    def _place(self, path: str, owner: Owner = (0, 0)) -> str:
        """Where on the host something is to be written; its parents are made, for that owner."""
        name = posixpath.basename(path)
        if not name:
            raise CannotWrite("/ is a folder")
        parent = self.folder(posixpath.dirname(path), owner=owner)
        inside = f"{parent}/{name}".lstrip("/")
        if parent not in self._parents:
            self._copy_up(parent)
            found = self.view.find(parent, follow=False)
            assert found is not None  # noqa: S101
            self._parents[parent] = found
        entry = self.view.within(self._parents[parent], name)
        if entry is not None and entry.kind == "folder":
            raise CannotWrite(f"/{inside} is a folder, which a file cannot take the place of")
        real = f"{self._upper}/{inside}"
        if entry is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(real)  # noqa: PTH108
        return real

    def file(self, path: str, source: Entry, *, mode: int | None = None, owner: Owner | None = None) -> None:
        """A file, link or the like, as `source` is, but for the mode or owner that is said.

        A file that stays as it is is linked: nobody changes what lies in layers and contexts.
        """
        status = source.status
        wanted = (owner or (status.st_uid, status.st_gid), source.mode if mode is None else mode)
        real = self._place(path, owner or (0, 0))
        if source.kind == "link":
            os.symlink(source.target, real)  # noqa: PTH211
            os.chown(real, *wanted[0], follow_symlinks=False)
            os.utime(real, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)
            return
        if source.kind == "other":
            self._special(real, source, wanted)
            return
        self._count(status.st_size)
        if wanted == ((status.st_uid, status.st_gid), source.mode):
            with contextlib.suppress(OSError):  # on another file system, or too many of them
                os.link(source.real, real, follow_symlinks=False)
                return
        with open(source.real, "rb") as given, open(real, "xb") as file:  # noqa: PTH123
            self._copy(given, file, count=False)
        os.chown(real, *wanted[0])
        os.chmod(real, wanted[1])  # noqa: PTH101
        copy_attributes(source.real, real)
        os.utime(real, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _special(self, real: str, source: Entry, wanted: tuple[Owner, int]) -> None:
        if not stat.S_ISFIFO(source.status.st_mode):
            return  # sockets mean nothing elsewhere, and there are no devices in images
        os.mkfifo(real, wanted[1])
        os.chown(real, *wanted[0])
        os.chmod(real, wanted[1])  # noqa: PTH101

    def link(self, path: str, other: str) -> None:
        """A further name of a file that this layer has."""
        _, entry = self.view.walk(other, follow=False)
        if entry is None or entry.kind == "folder":
            raise CannotWrite(f"/{path}: a link to /{other}, which is no file")
        self.file(path, entry)

    def symlink(self, path: str, target: str, owner: Owner, times: tuple[int, int]) -> None:
        real = self._place(path)
        os.symlink(target, real)  # noqa: PTH211
        os.chown(real, *owner, follow_symlinks=False)
        os.utime(real, ns=times, follow_symlinks=False)

    def content(
        self,
        path: str,
        given: BinaryIO,
        mode: int,
        owner: Owner,
        times: tuple[int, int] | None = None,
        attributes: Mapping[str, bytes] | None = None,
    ) -> None:
        """A file with the content of a stream."""
        real = self._place(path, owner)
        with open(real, "xb") as file:  # noqa: PTH123
            self._copy(given, file, count=True)
        os.chown(real, *owner)
        os.chmod(real, mode)  # noqa: PTH101
        _set_attributes(real, attributes or {})
        if times is not None:
            os.utime(real, ns=times)

    def fifo(self, path: str, mode: int, owner: Owner) -> None:
        real = self._place(path)
        os.mkfifo(real, mode)
        os.chown(real, *owner)

    def finish(self) -> None:
        """Give folders the times that they are to have, now that nothing is written to them any more."""
        for real, times in self._times.items():
            os.utime(real, ns=times)

    def _copy(self, given: BinaryIO, file: BinaryIO, *, count: bool) -> None:
        while chunk := given.read(_CHUNK_BYTES):
            self._check()
            if count:
                self._count(len(chunk))
            file.write(chunk)

    def _count(self, size: int) -> None:
        self._check()
        self._written += size
        if self._written > self._most_bytes:
            raise TooMuch


def is_kept(name: str) -> bool:
    """Tell whether an extended attribute belongs to a file wherever it is copied to, as BuildKit has it."""
    return name.startswith("user.") or name == "security.capability"


def attributes_of(real: str) -> dict[str, bytes]:
    """Extended attributes of a file or folder that copies of it have, by name."""
    names = os.listxattr(real, follow_symlinks=False)
    return {name: os.getxattr(real, name, follow_symlinks=False) for name in sorted(names) if is_kept(name)}


def _set_attributes(real: str, attributes: Mapping[str, bytes]) -> None:
    for name, value in attributes.items():
        with contextlib.suppress(OSError):  # a file system that knows none
            os.setxattr(real, name, value)


def copy_attributes(source: str, target: str) -> None:
    """Copy extended attributes, but for the overlay's own."""
    for name in os.listxattr(source, follow_symlinks=False):
        if not name.startswith(_OVERLAY):
            with contextlib.suppress(OSError):
                os.setxattr(target, name, os.getxattr(source, name, follow_symlinks=False), follow_symlinks=False)
