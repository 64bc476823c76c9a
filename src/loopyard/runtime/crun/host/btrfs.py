"""The few calls of btrfs that the sandboxes' disk needs: subvolumes, snapshots and limits.

The numbers and layouts are those of the kernel's header `linux/btrfs.h`.
"""

import contextlib
import fcntl
import os
import struct

_TREE_ROOT = 256
_NAME_BYTES = 4087
_READ_ONLY = 2
_LIMIT_REFERENCED = 1
_QUOTA_TREE, _QGROUP_INFO = 8, 242
_DEVICE_TREE, _EXTENT = 4, 204
_FOUND_AT, _FIRST_ITEM_AT, _ITEM_HEADER_BYTES = 64, 104, 32
_SIMPLE_QUOTAS, _FULL_QUOTAS = 4, 1


def _ioctl_number(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | 0x94 << 8 | number


_GETFLAGS, _SETFLAGS, _NOCOW = 2 << 30 | 8 << 16 | ord("f") << 8 | 1, 1 << 30 | 8 << 16 | ord("f") << 8 | 2, 0x00800000
_FITRIM = 3 << 30 | 24 << 16 | ord("X") << 8 | 121
_SYNC = 0x94 << 8 | 8
_DEV_INFO = _ioctl_number(3, 30, 4096)
_RESIZE = _ioctl_number(1, 3, 4096)
_SUBVOL_CREATE = _ioctl_number(1, 14, 4096)
_SNAP_DESTROY = _ioctl_number(1, 15, 4096)
_SNAP_CREATE_V2 = _ioctl_number(1, 23, 4096)
_TREE_SEARCH = _ioctl_number(3, 17, 4096)
_INO_LOOKUP = _ioctl_number(3, 18, 4096)
_SUBVOL_GETFLAGS = _ioctl_number(2, 25, 8)
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


def keep_in_place(descriptor: int) -> None:
    """Have a new file written in place where it lies on a btrfs itself: else room that was taken is no use."""
    with contextlib.suppress(OSError):  # no other file system knows that
        flags = bytearray(8)
        fcntl.ioctl(descriptor, _GETFLAGS, flags)
        (held,) = struct.unpack_from("i", flags)
        fcntl.ioctl(descriptor, _SETFLAGS, bytearray(struct.pack("q", held | _NOCOW)))


def resize(path: str, size: int) -> None:
    """Let the file system that is mounted at `path` use the first `size` bytes of its device."""
    _named(path, _RESIZE, struct.pack("q", 0), f"1:{size}")


def device(path: str) -> tuple[int, int]:
    """Of the one device of the file system at `path`: how many bytes are given out to no kind of use, and how many the
    file system has of it."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        told = bytearray(struct.pack("Q", 1).ljust(4096, b"\0"))
        fcntl.ioctl(folder, _DEV_INFO, told)
    finally:
        os.close(folder)
    used, size = struct.unpack_from("QQ", told, 24)
    return size - used, size


def end_of_use(path: str) -> int:
    """Where the last part of the one device of the file system at `path` ends that is given out to any kind of use, in
    bytes from its start."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    last, end, start = 2**64 - 1, 0, 0
    try:
        while True:
            key = struct.pack("QQQQQQQIIII", _DEVICE_TREE, 1, 1, start, last, 0, last, _EXTENT, _EXTENT, 64, 0)
            search = bytearray(key.ljust(4096, b"\0"))
            fcntl.ioctl(folder, _TREE_SEARCH, search)
            (found,) = struct.unpack_from("I", search, _FOUND_AT)
            if not found:
                return end
            place = _FIRST_ITEM_AT
            for _ in range(found):
                _, _, offset, _, size = struct.unpack_from("QQQII", search, place)
                (length,) = struct.unpack_from("Q", search, place + _ITEM_HEADER_BYTES + 24)
                end, start = max(end, offset + length), offset + 1
                place += _ITEM_HEADER_BYTES + size
    finally:
        os.close(folder)


def trim(path: str) -> None:
    """Tell the device below the file system at `path` what is free. A file gives that back to its own file system."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(folder, _SYNC)
        fcntl.ioctl(folder, _FITRIM, bytearray(struct.pack("QQQ", 0, 2**64 - 1, 0)))
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
    """True if `path` is the top of a btrfs subvolume."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(descriptor, _SUBVOL_GETFLAGS, bytearray(8))
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def limit_size(path: str, size: int) -> None:
    """Let the subvolume at `path` hold at most `size` bytes; writing more fails with EDQUOT."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(descriptor, _QGROUP_LIMIT, bytearray(struct.pack("QQQQQQ", 0, _LIMIT_REFERENCED, size, 0, 0, 0)))
    finally:
        os.close(descriptor)


def held_bytes(path: str) -> int | None:
    """How many bytes the subvolume at `path` was charged with at the last commit of the file system (a snapshot
    commits); None if that is not known."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        lookup = bytearray(struct.pack("QQ", 0, _TREE_ROOT).ljust(4096, b"\0"))
        fcntl.ioctl(descriptor, _INO_LOOKUP, lookup)
        (tree,) = struct.unpack_from("Q", lookup)
        last = 2**64 - 1
        key = struct.pack("QQQQQQQIIII", _QUOTA_TREE, 0, 0, tree, tree, 0, last, _QGROUP_INFO, _QGROUP_INFO, 1, 0)
        search = bytearray(key.ljust(4096, b"\0"))
        fcntl.ioctl(descriptor, _TREE_SEARCH, search)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    (found,) = struct.unpack_from("I", search, _FOUND_AT)
    return struct.unpack_from("Q", search, _FIRST_ITEM_AT + _ITEM_HEADER_BYTES + 8)[0] if found else None


def _named(folder: str, number: int, head: bytes, name: str) -> None:
    encoded = os.fsencode(name)
    if len(encoded) > _NAME_BYTES:
        raise ValueError("name too long")
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(descriptor, number, bytearray(head + encoded.ljust(4096 - len(head), b"\0")))
    finally:
        os.close(descriptor)
