"""Metadata of a file, taken along when another file takes its place."""

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from loopyard.kit.host.linux import NO_SPACE_ERRORS

_ACCESS_LIST = "system.posix_acl_access"
_CAPABILITIES = "security.capability"


@dataclass(frozen=True, slots=True)
class FileMetadata:
    """Owner, group and mode as `stat` has them, and extended attributes, access list and capabilities among them."""

    owner: int
    group: int
    mode: int
    attributes: Mapping[str, bytes]

    @classmethod
    def of(cls, descriptor: int) -> "FileMetadata":
        """That of the file behind a descriptor, which may be one of O_PATH.

        Raises:
            OSError: It cannot be read.
        """
        found = os.fstat(descriptor)
        path = f"/proc/self/fd/{descriptor}"
        attributes = {name: os.getxattr(path, name) for name in _names(path) if _is_kept(name)}
        return cls(found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode), attributes)

    def without_privileges(self) -> "FileMetadata":
        """Metadata that the kernel leaves when somebody without privileges writes to the file: no capabilities, and no
        program that runs as its owner."""
        dropped = stat.S_ISUID | (stat.S_ISGID if self.mode & stat.S_IXGRP else 0)
        attributes = {name: value for name, value in self.attributes.items() if name != _CAPABILITIES}
        return FileMetadata(self.owner, self.group, self.mode & ~dropped, attributes)

    def give_to(self, descriptor: int, mode: int | None) -> None:
        """Have another file, open for writing and written whole, have the same; with another mode if one is given.

        Raises:
            OSError: The host does not allow it, or the disk is full.
        """
        os.fchown(descriptor, self.owner, self.group)
        if _ACCESS_LIST not in self.attributes:
            _try(partial(os.removexattr, descriptor, _ACCESS_LIST))  # what it may have of its folder
        os.fchmod(descriptor, self.mode)
        # A change of the mode takes capabilities away, so they come last.
        for name, value in sorted(self.attributes.items(), key=lambda one: one[0] == _CAPABILITIES):
            _try(partial(os.setxattr, descriptor, name, value))
        if mode is not None and mode != self.mode:
            os.fchmod(descriptor, mode)

    def restore(self, descriptor: int) -> None:
        """Have the same file have its capabilities again, which writing to it takes away.

        Raises:
            OSError: The disk is full.
        """
        if (value := self.attributes.get(_CAPABILITIES)) is not None:
            _try(partial(os.setxattr, descriptor, _CAPABILITIES, value))


def _names(path: str) -> list[str]:
    try:
        return os.listxattr(path)
    except OSError:  # a file system without any
        return []


def _is_kept(name: str) -> bool:
    return name.startswith("user.") or name in (_ACCESS_LIST, _CAPABILITIES)


def _try(act: Callable[[], None]) -> None:
    """Change an attribute, if the file system has such."""
    try:
        act()
    except OSError as error:
        if error.errno in NO_SPACE_ERRORS:
            raise
