"""Viewpoint on the files of a sandbox: as which user, with which rights of the kernel."""

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

from loopyard.kit.host.linux import NO_SPACE_ERRORS
from loopyard.runtime.crun.host.uids import UIDS
from loopyard.runtime.crun.sandbox.accounts import Account
from loopyard.runtime.errors import (
    FileAccessDenied,
    FileNotFound,
    FileUnsuitable,
    NoSpaceLeft,
    RuntimeFault,
    SandboxNotRunning,
)
from loopyard.runtime.proc import start_ticks
from loopyard.runtime.syscalls import files_owned_by, set_fs_ids, set_groups

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
    **dict.fromkeys(NO_SPACE_ERRORS, (NoSpaceLeft, "the disk of the devbox is full")),
    errno.EFBIG: (NoSpaceLeft, "it is larger than a file can be"),
}


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """Viewpoint on a sandbox: its init process, the first uid of its range, and the user."""

    pid: int
    start_ticks: int
    uid_base: int
    account: Account

    def owns(self, found: os.stat_result) -> bool:
        """True if a file is of one of the sandbox's users, and of one of its groups."""
        return all(0 <= number - self.uid_base < UIDS for number in (found.st_uid, found.st_gid))

    def resolve(self, path: str) -> str:
        """The path from the root on: relative ones and `~/` start at the user's home."""
        if path == "~" or path.startswith("~/"):
            path = path[2:]
        # No normalising: `a/../b` is something else where `a` is a link.
        return os.path.join(self.account.home, path) if path else self.account.home  # noqa: PTH118


@contextmanager
def root_of(view: Viewpoint) -> Generator[int]:
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
def acting_as(view: Viewpoint, *, privileged: bool = False) -> Generator[None]:
    """Let the kernel check this thread's file access as the sandbox's user, in all of their groups. `privileged` keeps
    the capabilities over files that root has; it is for the caller to see that a file is one of the sandbox's."""
    uid, gid = view.uid_base + view.account.uid, view.uid_base + view.account.gid
    own = os.getgroups()
    try:
        set_groups([view.uid_base + group for group in view.account.groups])
        if privileged:
            with files_owned_by(uid, gid):
                yield
        else:
            set_fs_ids(uid, gid)
            yield
    finally:
        set_fs_ids(0, 0)
        set_groups(own)


@contextmanager
def as_faults(path: str) -> Generator[None]:
    """Turn errors of the kernel's into the protocol's."""
    try:
        yield
    except OSError as error:
        _raise(path, error)
    except ValueError as error:  # a NUL in the path
        raise FileUnsuitable(f"{path!r}: it cannot be a path") from error


def _raise(path: str, error: OSError) -> NoReturn:
    kind, text = _FAULTS.get(error.errno or 0, (FileUnsuitable, error.strerror or str(error)))
    raise kind(f"{path}: {text}") from error
