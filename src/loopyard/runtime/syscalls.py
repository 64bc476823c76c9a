"""System calls that Python's own library does not have. Light, since the launcher forks with it all day.

The numbers are the same on every architecture that Linux has kept in step since version 5.1. Each raises OSError.
"""

import ctypes
import os
import platform
import struct
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long

_OPEN_TREE, _MOVE_MOUNT, _FSOPEN, _FSCONFIG, _FSMOUNT = 428, 429, 430, 431, 432
_OPENAT2, _MOUNT_SETATTR = 437, 442

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID = 0x02000000, 0x04000000, 0x08000000, 0x20000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND = 1, 2, 4, 8, 32, 4096
MS_REC, MS_PRIVATE, MS_SLAVE = 16384, 1 << 18, 1 << 19
MNT_DETACH = 2

MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC = 1, 2, 4, 8

_AT_EMPTY_PATH, _AT_RECURSIVE = 0x1000, 0x8000
_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC = 1, os.O_CLOEXEC
_MOVE_MOUNT_F_EMPTY_PATH, _MOVE_MOUNT_T_EMPTY_PATH = 0x04, 0x40
_MOUNT_ATTR_IDMAP = 0x00100000
_FSCONFIG_SET_FLAG, _FSCONFIG_SET_STRING, _FSCONFIG_CMD_CREATE = 0, 1, 6

RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_IN_ROOT = 0x02, 0x04, 0x10
_RENAME_EXCHANGE = 2
_SYNC_FILE_RANGE_WRITE = 2

_CLOSE_RANGE, _CLOSE_RANGE_CLOEXEC = 436, 4
_SECCOMP = {"x86_64": 317, "aarch64": 277}.get(platform.machine())
"""Older than the numbers that are the same everywhere."""
_SETGROUPS = {"x86_64": 116, "aarch64": 159}.get(platform.machine(), 159)
_SET_MODE_FILTER, _FILTER_SPEC_ALLOW = 1, 4
_CAPABILITY_VERSION = 0x20080522
_INSTRUCTION_BYTES = 8

_FALLOC_FL_KEEP_SIZE, _FALLOC_FL_PUNCH_HOLE = 1, 2
_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_CAPBSET_DROP = 4, 22, 24
_PR_SET_CHILD_SUBREAPER, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 36, 47, 4
_PR_SET_SECUREBITS = 28
_SECBIT_NO_SETUID_FIXUP = 1 << 2


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags` for new ones."""
    _checked(_libc.unshare(flags), "unshare")


def setns(descriptor: int, kind: int) -> None:
    """Enter the namespace behind a descriptor, whose CLONE_NEW… flag is `kind`; or several of the process behind it."""
    _checked(_libc.setns(descriptor, kind), "setns")


def mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """mount(2)."""
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        None if kind is None else kind.encode(),
        ctypes.c_ulong(flags),
        None if data is None else data.encode(),
    )
    _checked(result, f"mount {target}")


def umount(target: str, flags: int = MNT_DETACH) -> None:
    """umount2(2)."""
    _checked(_libc.umount2(os.fsencode(target), flags), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    """pivot_root(2): every process of this mount namespace whose root is the root gets the mount at `new` for it."""
    _checked(_libc.pivot_root(os.fsencode(new), os.fsencode(old)), "pivot_root")


def set_hostname(name: str) -> None:
    """Name the host, as this process's UTS namespace calls it."""
    encoded = name.encode()
    _checked(_libc.sethostname(encoded, len(encoded)), "sethostname")


def open_tree(path: str, *, recursive: bool = False) -> int:
    """A detached copy of the mount at `path`, to be changed and attached elsewhere."""
    flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | (_AT_RECURSIVE if recursive else 0)
    return _checked(_syscall(_OPEN_TREE, -100, os.fsencode(path), ctypes.c_uint(flags)), f"open_tree {path}")


def idmap(mount_fd: int, user_namespace_fd: int, attributes: int = 0) -> None:
    """Make a detached mount show owners as the user namespace maps them, and set MOUNT_ATTR_… on it."""
    attr = struct.pack("QQQQ", _MOUNT_ATTR_IDMAP | attributes, 0, 0, user_namespace_fd)
    _checked(_syscall(_MOUNT_SETATTR, mount_fd, b"", _AT_EMPTY_PATH, attr, len(attr)), "mount_setattr")


def attach(mount_fd: int, path: str) -> None:
    """Attach a detached mount at `path`."""
    result = _syscall(_MOVE_MOUNT, mount_fd, b"", -100, os.fsencode(path), _MOVE_MOUNT_F_EMPTY_PATH)
    _checked(result, f"move_mount {path}")


def clone_mount(place: int, *, recursive: bool = False) -> int:
    """A detached copy of the mount behind a descriptor, from there on down; what is mounted below only if recursive."""
    flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | _AT_EMPTY_PATH | (_AT_RECURSIVE if recursive else 0)
    return _checked(_syscall(_OPEN_TREE, place, b"", ctypes.c_uint(flags)), "open_tree")


def attach_at(mount_fd: int, place: int) -> None:
    """Attach a detached mount over what a descriptor stands for; or move one there that is attached elsewhere."""
    flags = _MOVE_MOUNT_F_EMPTY_PATH | _MOVE_MOUNT_T_EMPTY_PATH
    _checked(_syscall(_MOVE_MOUNT, mount_fd, b"", place, b"", flags), "move_mount")


def new_mount(kind: str, options: Sequence[tuple[str, str | None]], attributes: int = 0) -> int:
    """A new detached mount of a file system of this kind. An option with None is a flag."""
    context = _checked(_syscall(_FSOPEN, kind.encode(), 1), f"fsopen {kind}")
    try:
        for key, value in options:
            command = _FSCONFIG_SET_FLAG if value is None else _FSCONFIG_SET_STRING
            given = None if value is None else os.fsencode(value)
            _checked(_syscall(_FSCONFIG, context, command, key.encode(), given, 0), f"{kind} {key}={value}")
        _checked(_syscall(_FSCONFIG, context, _FSCONFIG_CMD_CREATE, None, None, 0), f"{kind} {_complaint(context)}")
        return _checked(_syscall(_FSMOUNT, context, 1, attributes), f"fsmount {kind}")
    finally:
        os.close(context)


def _complaint(context: int) -> str:
    """Message of the kernel, where it gives one."""
    os.set_blocking(context, False)
    try:
        return os.read(context, 4096).decode(errors="replace").strip()
    except OSError:
        return ""


@contextmanager
def files_owned_by(uid: int, gid: int) -> Generator[None]:
    """Use these ids for file access meanwhile, but keep every capability (this thread only)."""
    _checked(_libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0), "prctl")
    try:
        set_fs_ids(uid, gid)
        yield
    finally:
        set_fs_ids(0, 0)
        _checked(_libc.prctl(_PR_SET_SECUREBITS, 0, 0, 0, 0), "prctl")


def set_fs_ids(uid: int, gid: int) -> None:
    """Set this thread's ids for file access. Leaving uid 0 drops the capabilities over files; returning restores."""
    _libc.setfsgid(ctypes.c_uint(gid))
    _libc.setfsuid(ctypes.c_uint(uid))
    # They return the ids there were, as signed numbers though ids go up to 2^32.
    if ctypes.c_uint(_libc.setfsuid(-1)).value != uid or ctypes.c_uint(_libc.setfsgid(-1)).value != gid:
        raise PermissionError("setfsuid had no effect")


def set_groups(groups: Sequence[int]) -> None:
    """Set the supplementary groups of this thread alone; libc's own function sets those of all threads."""
    given = (ctypes.c_uint32 * len(groups))(*groups)
    _checked(_syscall(_SETGROUPS, len(groups), given), "setgroups")


def openat2(folder: int, path: str, flags: int, mode: int = 0, resolve: int = 0) -> int:
    """openat2(2): like os.open below `folder`, with rules for how the path is resolved."""
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, mode, resolve)
    return _checked(_syscall(_OPENAT2, folder, os.fsencode(path), how, len(how)), f"open {path}")


def swap(folder: int, one: str, other: str) -> None:
    """Give each of two files in a folder the other's name, at once."""
    _checked(_libc.renameat2(folder, os.fsencode(one), folder, os.fsencode(other), _RENAME_EXCHANGE), "renameat2")


def begin_writing_out(descriptor: int, start: int, count: int) -> None:
    """Have the kernel begin to write a part of a file to the disk; returns before that is done."""
    span = (ctypes.c_int64(start), ctypes.c_int64(count))
    _checked(_libc.sync_file_range(descriptor, *span, _SYNC_FILE_RANGE_WRITE), "sync_file_range")


def fallocate(descriptor: int, start: int, count: int) -> None:
    """Take the room of a part of a file on its disk. Python's own writes zeros where the file system cannot do it."""
    _fallocate(descriptor, 0, start, count)


def punch_hole(descriptor: int, start: int, count: int) -> None:
    """Give back the room of a part of a file. It reads as zeros, and the file keeps its size."""
    _fallocate(descriptor, _FALLOC_FL_KEEP_SIZE | _FALLOC_FL_PUNCH_HOLE, start, count)


def _fallocate(descriptor: int, mode: int, start: int, count: int) -> None:
    span = (ctypes.c_int64(start), ctypes.c_int64(count))
    _checked(_libc.fallocate(descriptor, mode, *span), "fallocate")


def sync_file_system(descriptor: int) -> None:
    """Write all that the file system behind a descriptor holds to its disk, and wait for that."""
    _checked(_libc.syncfs(descriptor), "syncfs")


def set_dumpable(*, dumpable: bool) -> None:
    """Allow or forbid others of the same user to look into this process."""
    _checked(_libc.prctl(_PR_SET_DUMPABLE, int(dumpable), 0, 0, 0), "prctl")


def set_subreaper(*, subreaper: bool) -> None:
    """Make this process the parent of orphans of its children, or not."""
    _checked(_libc.prctl(_PR_SET_CHILD_SUBREAPER, int(subreaper), 0, 0, 0), "prctl")


def drop_from_bounding(capabilities: Iterable[int]) -> None:
    """Give capabilities up for good, whatever is executed."""
    for capability in capabilities:
        _checked(_libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0), f"drop capability {capability}")


def set_capabilities(held: int) -> None:
    """Hold just the capabilities in this set of bits, effective and permitted, and hand none of them on."""
    low, high = held & 0xFFFFFFFF, held >> 32
    sets = struct.pack("IIIIII", low, low, 0, high, high, 0)
    _checked(_libc.capset(struct.pack("Ii", _CAPABILITY_VERSION, 0), sets), "capset")
    _checked(_libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "prctl")


def filter_calls(program: bytes) -> None:
    """Have the kernel judge each system call of this process from now on by a program of seccomp's."""
    held = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("HxxxxxxP", len(program) // _INSTRUCTION_BYTES, ctypes.addressof(held))
    if _SECCOMP is None:
        _checked(_libc.prctl(_PR_SET_SECCOMP, 2, described, 0, 0), "seccomp")
    else:
        _checked(_syscall(_SECCOMP, _SET_MODE_FILTER, _FILTER_SPEC_ALLOW, described), "seccomp")


def hand_on_none_from(first: int) -> None:
    """Have every descriptor from `first` on closed when a program is executed."""
    _checked(_syscall(_CLOSE_RANGE, first, ctypes.c_uint(0xFFFFFFFF), _CLOSE_RANGE_CLOEXEC), "close_range")
