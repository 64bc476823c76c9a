"""The few calls of btrfs that the sandboxes' disk needs: subvolumes, snapshots and limits.

The numbers and layouts are those of the kernel's header `linux/btrfs.h`.
"""

import fcntl
import os
import struct

_TREE_ROOT = 256
_NAME_BYTES = 4087
_READ_ONLY = 2
_LIMIT_REFERENCED = 1
_SIMPLE_QUOTAS, _FULL_QUOTAS = 4, 1


def _ioctl_number(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | 0x94 << 8 | number


_SUBVOL_CREATE = _ioctl_number(1, 14, 4096)
_SNAP_DESTROY = _ioctl_number(1, 15, 4096)
_SNAP_CREATE_V2 = _ioctl_number(1, 23, 4096)
_QUOTA_CTL = _ioctl_number(3, 40, 16)
_QGROUP_LIMIT = _ioctl_number(2, 43, 48)


def enable_quotas(path: str) -> bool:
    """Turn on limits for the whole file system; false where this kernel cannot. Linux 6.7 knows the cheap kind."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for kind in (_SIMPLE_QUOTAS, _FULL_QUOTAS):
            try:
                fcntl.ioctl(folder, _QUOTA_CTL, bytearray(struct.pack("QQ", kind, 0)))
            except FileExistsError:
                return True
            except OSError:
                continue
            return True
        return False
    finally:
        os.close(folder)


def create_subvolume(folder: str, name: str) -> None:
    """Make an empty subvolume. Raises FileExistsError where there is something of this name."""
    _named(folder, _SUBVOL_CREATE, struct.pack("q", 0), name)


def snapshot(source: str, folder: str, name: str, *, read_only: bool = False) -> None:
    """Make a subvolume that shares all of `source` until either is written to."""
    descriptor = os.open(source, os.O_RDONLY | os.O_DIRECTORY)
    try:
        head = struct.pack("qQQ4Q", descriptor, 0, _READ_ONLY if read_only else 0, 0, 0, 0, 0)
        _named(folder, _SNAP_CREATE_V2, head, name)
    finally:
        os.close(descriptor)


def delete_subvolume(folder: str, name: str) -> None:
    """Delete a subvolume with all that is in it; the space is freed in the background."""
    _named(folder, _SNAP_DESTROY, struct.pack("q", 0), name)


def is_subvolume(path: str) -> bool:
    """Whether `path` is the top of a subvolume, on a file system that is known to be btrfs."""
    return os.stat(path).st_ino == _TREE_ROOT


def limit_size(path: str, size: int) -> None:
    """Let the subvolume at `path` hold at most `size` bytes; writing more fails with EDQUOT."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(descriptor, _QGROUP_LIMIT, bytearray(struct.pack("QQQQQQ", 0, _LIMIT_REFERENCED, size, 0, 0, 0)))
    finally:
        os.close(descriptor)


def _named(folder: str, number: int, head: bytes, name: str) -> None:
    encoded = os.fsencode(name)
    if len(encoded) > _NAME_BYTES:
        raise ValueError("name too long")
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(descriptor, number, bytearray(head + encoded.ljust(4096 - len(head), b"\0")))
    finally:
        os.close(descriptor)
