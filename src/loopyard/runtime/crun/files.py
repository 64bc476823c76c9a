"""Files of a running sandbox, opened from the host as the sandbox's own user would.

The kernel resolves each path as if the sandbox's root were the only file system there is, follows no link that it
makes itself (such as those in /proc), and checks the rights of the sandbox's user. So no link and no race in the
sandbox leads to anything of the host's.
"""

import errno
import os
import secrets
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NoReturn

from loopyard.runtime.crun.accounts import Account
from loopyard.runtime.crun.draining import Draining
from loopyard.runtime.crun.syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2, set_fs_ids, swap
from loopyard.runtime.errors import (
    FileAccessDenied,
    FileNotFound,
    FileUnsuitable,
    NoSpaceLeft,
    RuntimeFault,
    SandboxNotRunning,
)
from loopyard.runtime.proc import start_ticks

_RESOLVE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS

_LARGE_BYTES = 32 << 20
"""From here on it costs more to have btrfs write a file to the disk first than to change names twice."""

_FAULTS: dict[int, tuple[type[RuntimeFault], str]] = {
    errno.ENOENT: (FileNotFound, "there is no such file"),
    errno.EACCES: (FileAccessDenied, "the user of the devbox may not do this"),
    errno.EPERM: (FileAccessDenied, "the user of the devbox may not do this"),
    errno.EROFS: (FileAccessDenied, "it is read-only"),
    errno.ELOOP: (FileAccessDenied, "it leads through a link that cannot be followed from outside"),
    errno.EISDIR: (FileUnsuitable, "it is a folder"),
    errno.ENOTDIR: (FileUnsuitable, "a part of the path is not a folder"),
    errno.ENXIO: (FileUnsuitable, "it is not an ordinary file"),
    errno.ENODEV: (FileUnsuitable, "it is not an ordinary file"),
    errno.ETXTBSY: (FileUnsuitable, "it is a program that runs"),
    errno.ENAMETOOLONG: (FileUnsuitable, "the path is too long"),
    errno.EINVAL: (FileUnsuitable, "it cannot be a path"),
    errno.EOVERFLOW: (FileAccessDenied, "the user of the devbox may not do this"),
    errno.ENOSPC: (NoSpaceLeft, "the disk of the devbox is full"),
    errno.EDQUOT: (NoSpaceLeft, "the disk of the devbox is full"),
    errno.EFBIG: (NoSpaceLeft, "it is larger than a file can be"),
}


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """Who looks, and at which sandbox: its init process, the first uid of its range, and the user."""

    pid: int
    start_ticks: int
    uid_base: int
    account: Account

    def resolve(self, path: str) -> str:
        """The path from the root on: relative ones and `~/` start at the user's home."""
        if path == "~" or path.startswith("~/"):
            path = path[2:]
        # No normalising: `a/../b` is something else where `a` is a link.
        return os.path.join(self.account.home, path) if path else self.account.home  # noqa: PTH118


def open_for_reading(view: Viewpoint, path: str) -> int:
    """A descriptor of an ordinary file. Raises FileNotFound, FileAccessDenied, FileUnsuitable, SandboxNotRunning."""
    with _as_faults(path), _root(view) as root, _acting_as(view):
        descriptor = openat2(root, view.resolve(path), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY, 0, _RESOLVE)
    return _only_ordinary(descriptor, path)


@dataclass
class Writing:
    """A file that is being replaced: written beside the old one, which it takes the place of in the end."""

    view: Viewpoint
    path: str
    parent: int
    name: str
    descriptor: int
    temporary: str | None
    """The name beside the old one; None where it is written in place."""
    draining: Draining = field(init=False)

    def __post_init__(self) -> None:
        self.draining = Draining(self.descriptor)

    def write(self, chunk: bytes) -> None:
        """Raises NoSpaceLeft."""
        with _as_faults(self.path):
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(self.descriptor, rest) :]
        self.draining.wrote(len(chunk))

    def commit(self) -> None:
        """Put it in its place."""
        with _as_faults(self.path), _acting_as(self.view):
            if self.temporary is not None and not self._swap(self.temporary):
                os.rename(self.temporary, self.name, src_dir_fd=self.parent, dst_dir_fd=self.parent)
            self.temporary = None

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
        if self.temporary is not None:
            with _acting_as(self.view), suppress(OSError):
                os.unlink(self.temporary, dir_fd=self.parent)
        os.close(self.parent)


def open_for_writing(view: Viewpoint, path: str, mode: int | None) -> Writing:
    """Begin to replace a file, making its parent folders. `mode` None keeps that of an existing file, else is 0644.

    Raises FileAccessDenied, FileUnsuitable, NoSpaceLeft, SandboxNotRunning.
    """
    full = view.resolve(path)
    if full.endswith("/"):
        raise FileUnsuitable(f"{path}: it is a folder")
    folder, name = os.path.split(full)
    if name in ("", ".", ".."):
        raise FileUnsuitable(f"{path}: it is a folder")
    with _as_faults(path), _root(view) as root, _acting_as(view):
        parent = _make_folders(root, folder)
        try:
            return _begin(view, path, parent, name, mode, root, full)
        except BaseException:
            os.close(parent)
            raise


def _begin(view: Viewpoint, path: str, parent: int, name: str, mode: int | None, root: int, full: str) -> Writing:
    try:
        old = os.lstat(name, dir_fd=parent)
    except FileNotFoundError:
        old = None
    if old is not None and not stat.S_ISLNK(old.st_mode) and not stat.S_ISREG(old.st_mode):
        raise OSError(errno.EISDIR if stat.S_ISDIR(old.st_mode) else errno.ENXIO, "not an ordinary file")
    if old is None or (
        stat.S_ISREG(old.st_mode) and old.st_uid == view.uid_base + view.account.uid and old.st_nlink == 1
    ):
        temporary = f".{name[:200]}.{secrets.token_hex(6)}.part"
        given = mode if mode is not None else stat.S_IMODE(old.st_mode) if old is not None else 0o644
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            descriptor = os.open(temporary, flags, 0o600, dir_fd=parent)
        except PermissionError:
            if old is None:
                raise
        else:
            os.fchmod(descriptor, given)
            return Writing(view, path, parent, name, descriptor, temporary)
    # Through a link, with several names, of another owner, or in a folder that takes no new file: in place.
    flags = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY
    descriptor = _only_ordinary(openat2(root, full, flags, mode or 0o644, _RESOLVE), path)
    os.ftruncate(descriptor, 0)
    if mode is not None:
        os.fchmod(descriptor, mode)
    return Writing(view, path, parent, name, descriptor, None)


def _make_folders(root: int, folder: str) -> int:
    """Open a folder, making it and its parents where they are missing."""
    flags = os.O_RDONLY | os.O_DIRECTORY
    try:
        return openat2(root, folder, flags, 0, _RESOLVE)
    except FileNotFoundError:
        path = PurePosixPath(folder)
        if path.parent == path:
            raise
    above = _make_folders(root, str(path.parent))
    try:
        os.mkdir(path.name, 0o755, dir_fd=above)
    except FileExistsError:
        pass  # a link that leads nowhere, or somebody was faster
    finally:
        os.close(above)
    return openat2(root, folder, flags, 0, _RESOLVE)


def _only_ordinary(descriptor: int, path: str) -> int:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        os.set_blocking(descriptor, True)
        return descriptor
    os.close(descriptor)
    raise FileUnsuitable(f"{path}: it is {'a folder' if stat.S_ISDIR(mode) else 'not an ordinary file'}")


@contextmanager
def _root(view: Viewpoint) -> Generator[int]:
    """The sandbox's root folder, by a descriptor that cannot turn out to be another process's."""
    gone = SandboxNotRunning("The sandbox does not run any more.")
    try:
        process = os.open(f"/proc/{view.pid}", os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise gone from error
    try:
        if start_ticks(view.pid) != view.start_ticks:
            raise gone
        root = os.open("root", os.O_RDONLY | os.O_DIRECTORY, dir_fd=process)
    except (FileNotFoundError, ProcessLookupError, PermissionError) as error:
        raise gone from error
    finally:
        os.close(process)
    try:
        yield root
    finally:
        os.close(root)


@contextmanager
def _acting_as(view: Viewpoint) -> Generator[None]:
    """Let the kernel check this thread's file access as the sandbox's user."""
    try:
        set_fs_ids(view.uid_base + view.account.uid, view.uid_base + view.account.gid)
        yield
    finally:
        set_fs_ids(0, 0)


@contextmanager
def _as_faults(path: str) -> Generator[None]:
    try:
        yield
    except OSError as error:
        _raise(path, error)
    except ValueError as error:  # a NUL in the path
        raise FileUnsuitable(f"{path!r}: it cannot be a path") from error


def _raise(path: str, error: OSError) -> NoReturn:
    kind, text = _FAULTS.get(error.errno or 0, (FileUnsuitable, error.strerror or str(error)))
    raise kind(f"{path}: {text}") from error
