"""Files of a running sandbox, opened from the host as the sandbox's own user would.

The kernel resolves each path as if the sandbox's root were the only file system there is, follows no link that it
makes itself (such as those in /proc), and checks the rights of the sandbox's user. So no link and no race in the
sandbox leads to anything of the host's.
"""

import errno
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TypeVar

from loopyard.runtime.crun.exec.file_metadata import FileMetadata
from loopyard.runtime.crun.exec.viewpoint import Viewpoint, acting_as, as_faults, root_of
from loopyard.runtime.crun.host.write_back import WriteBack
from loopyard.runtime.errors import FileUnsuitable
from loopyard.runtime.syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2, swap

_RESOLVE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS

_LARGE_BYTES = 32 << 20
"""From here on it costs more to have btrfs write a file to the disk first than to change names twice."""

T = TypeVar("T")


def open_for_reading(view: Viewpoint, path: str) -> int:
    """A descriptor of an ordinary file. Raises FileNotFound, FileAccessDenied, FileUnsuitable, SandboxNotRunning."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
    with as_faults(path), root_of(view) as root:
        descriptor = _as_user(view, lambda: openat2(root, view.resolve(path), flags, 0, _RESOLVE))
    return _only_ordinary(descriptor, path)


def _as_user(view: Viewpoint, opened: Callable[[], int]) -> int:
    """Open something as the sandbox's user. What is closed to root in the sandbox by its mode alone is opened, as it is
    to a command of root's, if it is one of the sandbox's."""
    try:
        with acting_as(view):
            return opened()
    except PermissionError:
        if view.account.uid != 0:
            raise
        with acting_as(view, privileged=True):
            descriptor = opened()
        if not view.owns(os.fstat(descriptor)):
            os.close(descriptor)
            raise
        return descriptor


@dataclass
class FileReplacement:
    """A file that is being replaced: written beside the old one, which it takes the place of in the end.

    `old` is what the old one has beside its content; None for a new file. `mode` None keeps the old one's.
    """

    view: Viewpoint
    path: str
    parent: int
    name: str
    descriptor: int
    temporary: str | None
    """The name beside the old one; None where it is written in place."""
    old: FileMetadata | None = None
    mode: int | None = None
    draining: WriteBack = field(init=False)

    def __post_init__(self) -> None:
        self.draining = WriteBack(self.descriptor)

    def write(self, chunk: bytes) -> None:
        """Raises NoSpaceLeft."""
        with as_faults(self.path):
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(self.descriptor, rest) :]
        self.draining.wrote(len(chunk))

    def commit(self) -> None:
        """Put it in its place."""
        with as_faults(self.path):
            if self.temporary is None:
                if self.old is not None:
                    self.old.restore(self.descriptor)
                if self.mode is not None:
                    os.fchmod(self.descriptor, self.mode)
                return
            if self.old is not None:
                self.old.give_to(self.descriptor, self.mode)
            _in_folder(self.view, self.parent, self._take_place)
            self.temporary = None

    def _take_place(self) -> None:
        if self.temporary is not None and not self._swap(self.temporary):
            os.rename(self.temporary, self.name, src_dir_fd=self.parent, dst_dir_fd=self.parent)

    def _swap(self, temporary: str) -> bool:
        """Let a large file change names with the old one, and remove that; false if it has to be renamed. What is
        renamed over a file btrfs writes to the disk before it answers: seconds for a gigabyte."""
        size = os.fstat(self.descriptor).st_size
        try:
            old = os.lstat(self.name, dir_fd=self.parent)
            # The kernel copies an old one that is still in the image, so it must not be larger.
            if size < _LARGE_BYTES or not stat.S_ISREG(old.st_mode) or old.st_size > size:
                return False
            swap(self.parent, temporary, self.name)
        except OSError:
            return False
        os.unlink(temporary, dir_fd=self.parent)
        return True

    def close(self) -> None:
        """Free it, and remove what was not put in place."""
        os.close(self.descriptor)
        if (temporary := self.temporary) is not None:
            with suppress(OSError):
                _in_folder(self.view, self.parent, lambda: os.unlink(temporary, dir_fd=self.parent))
        os.close(self.parent)


def open_for_writing(view: Viewpoint, path: str, mode: int | None) -> FileReplacement:
    """Begin to replace a file, making its parent folders. It keeps owner, group, access list and attributes of one that
    is there; `mode` None keeps that too, else is 0644.

    Raises FileAccessDenied, FileUnsuitable, NoSpaceLeft, SandboxNotRunning.
    """
    full = view.resolve(path)
    if full.endswith("/"):
        raise FileUnsuitable(f"{path}: it is a folder")
    folder, name = os.path.split(full)
    if name in ("", ".", ".."):
        raise FileUnsuitable(f"{path}: it is a folder")
    with as_faults(path), root_of(view) as root:
        parent = _make_folders(view, root, folder)
        try:
            return _begin(view, path, parent, name, mode, root, full)
        except BaseException:
            os.close(parent)
            raise


def _begin(
    view: Viewpoint, path: str, parent: int, name: str, mode: int | None, root: int, full: str
) -> FileReplacement:
    _refuse_kernels(parent, root)
    old = _in_folder(view, parent, lambda: _look(parent, name))
    if old is None:
        return _beside(view, path, parent, name, mode, None)
    if stat.S_ISREG(old.st_mode) and old.st_nlink == 1 and _may_replace(view, old):
        try:
            return _beside(view, path, parent, name, mode, _metadata(view, parent, name))
        except _NoNewFile:
            pass
    elif not stat.S_ISREG(old.st_mode) and not stat.S_ISLNK(old.st_mode):
        raise OSError(errno.EISDIR if stat.S_ISDIR(old.st_mode) else errno.ENXIO, "not an ordinary file")
    # Through a link, with several names, of another owner, or in a folder that takes no new file: in place.
    flags = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY
    descriptor = _only_ordinary(_as_user(view, lambda: openat2(root, full, flags, mode or 0o644, _RESOLVE)), path)
    try:
        _refuse_kernels(descriptor, root)
        metadata = _as_left(view, FileMetadata.of(descriptor))
        if metadata.mode != stat.S_IMODE(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, metadata.mode)
        os.ftruncate(descriptor, 0)
    except BaseException:
        os.close(descriptor)
        raise
    return FileReplacement(view, path, parent, name, descriptor, None, metadata, mode)


class _NoNewFile(Exception):
    """The folder takes no new file from the sandbox's user."""


def _beside(
    view: Viewpoint, path: str, parent: int, name: str, mode: int | None, old: FileMetadata | None
) -> FileReplacement:
    """Raises _NoNewFile: There is an old file, and no new one can be made beside it."""
    temporary = f".loopyard-{secrets.token_hex(8)}.part"  # not longer than a name may be, however long the file's own
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = _in_folder(view, parent, lambda: os.open(temporary, flags, 0o600, dir_fd=parent))
    except PermissionError as error:
        if old is not None:
            raise _NoNewFile from error
        raise
    if old is None:
        os.fchmod(descriptor, 0o644 if mode is None else mode)
    return FileReplacement(view, path, parent, name, descriptor, temporary, old, mode)


def _look(parent: int, name: str) -> os.stat_result | None:
    try:
        return os.lstat(name, dir_fd=parent)
    except FileNotFoundError:
        return None


def _may_replace(view: Viewpoint, old: os.stat_result) -> bool:
    """True if the user is the owner, or root, who can give a file to its owner."""
    return old.st_uid == view.uid_base + view.account.uid or (view.account.uid == 0 and view.owns(old))


def _metadata(view: Viewpoint, parent: int, name: str) -> FileMetadata:
    """Metadata of the existing file.

    Raises:
        PermissionError: The user may not write to it. To replace it by another would go round that.
    """
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = _in_folder(view, parent, lambda: os.open(name, flags, dir_fd=parent))
    try:
        if view.account.uid != 0:
            with acting_as(view):
                may_write = os.access(name, os.W_OK, dir_fd=parent, effective_ids=True, follow_symlinks=False)
            if not may_write:
                raise PermissionError(errno.EACCES, "the file may not be written")
        return _as_left(view, FileMetadata.of(descriptor))
    finally:
        os.close(descriptor)


def _as_left(view: Viewpoint, metadata: FileMetadata) -> FileMetadata:
    """Metadata that stays when the user writes to the file."""
    return metadata if view.account.uid == 0 else metadata.without_privileges()


def _refuse_kernels(descriptor: int, root: int) -> None:
    """Leave the kernel's own files to commands: there the kernel knows who asks."""
    own = {os.stat(name, dir_fd=root, follow_symlinks=False).st_dev for name in ("proc", "sys")}
    if os.fstat(descriptor).st_dev in own:
        raise OSError(errno.ENXIO, "one of the kernel's own")


def _in_folder(view: Viewpoint, folder: int, act: Callable[[], T]) -> T:
    """Do something in a folder as the sandbox's user; with what root may do there if it is one of the sandbox's."""
    try:
        with acting_as(view):
            return act()
    except PermissionError:
        if view.account.uid != 0 or not view.owns(os.fstat(folder)):
            raise
    with acting_as(view, privileged=True):
        return act()


def _make_folders(view: Viewpoint, root: int, folder: str) -> int:
    """Open a folder, making it and its parents where they are missing."""

    def opened() -> int:
        return openat2(root, folder, os.O_RDONLY | os.O_DIRECTORY, 0, _RESOLVE)

    try:
        return _as_user(view, opened)
    except FileNotFoundError:
        path = PurePosixPath(folder)
        if path.parent == path:
            raise
    above = _make_folders(view, root, str(path.parent))
    try:
        _in_folder(view, above, lambda: os.mkdir(path.name, 0o755, dir_fd=above))
    except FileExistsError:
        pass  # a link that leads nowhere, or somebody was faster
    finally:
        os.close(above)
    return _as_user(view, opened)


def _only_ordinary(descriptor: int, path: str) -> int:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        os.set_blocking(descriptor, True)
        return descriptor
    os.close(descriptor)
    raise FileUnsuitable(f"{path}: it is {'a folder' if stat.S_ISDIR(mode) else 'not an ordinary file'}")
