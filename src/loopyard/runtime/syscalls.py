"""System calls that Python's own library does not have. Light, since the launcher forks with it all day.

The numbers are the same on every architecture that Linux has kept in step since version 5.1. Each raises OSError.
"""

import os
import platform
import struct
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from ctypes import (
    CDLL,
    POINTER,
    addressof,
    c_char_p,
    c_int,
    c_int64,
    c_long,
    c_size_t,
    c_uint,
    c_uint32,
    c_ulong,
    c_void_p,
    create_string_buffer,
    get_errno,
)
from functools import partial
from typing import Any

_libc = CDLL(None, use_errno=True)

_OPEN_TREE, _MOVE_MOUNT, _FSOPEN, _FSCONFIG, _FSMOUNT = 428, 429, 430, 431, 432
_OPENAT2, _MOUNT_SETATTR = 437, 442

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID = 0x02000000, 0x04000000, 0x08000000, 0x20000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND = 1, 2, 4, 8, 32, 4096
MS_REC, MS_PRIVATE, MS_SLAVE = 16384, 1 << 18, 1 << 19
MNT_DETACH = 2

MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC = 1, 2, 4, 8

_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC = 1, os.O_CLOEXEC
_MOVE_MOUNT_F_EMPTY_PATH, _MOVE_MOUNT_T_EMPTY_PATH = 0x04, 0x40
_MOUNT_ATTR_IDMAP = 0x00100000
_FSCONFIG_SET_FLAG, _FSCONFIG_SET_STRING, _FSCONFIG_CMD_CREATE = 0, 1, 6

RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_IN_ROOT = 0x02, 0x04, 0x10
_RENAME_EXCHANGE = 2
_SYNC_FILE_RANGE_WRITE = 2

_CLOSE_RANGE, _CLOSE_RANGE_CLOEXEC = 436, 4
_IS_X86_64 = platform.machine() == "x86_64"
_SECCOMP, _SETGROUPS, _PIVOT_ROOT, _KEYCTL = (317, 116, 155, 250) if _IS_X86_64 else (277, 159, 41, 219)
"""Older than the numbers that are the same everywhere. The second ones are those of architectures that came after
x86, such as aarch64 and riscv64."""
_SET_MODE_FILTER, _FILTER_SPEC_ALLOW = 1, 4
_CAPABILITY_VERSION = 0x20080522
_INSTRUCTION_BYTES = 8

_JOIN_SESSION_KEYRING = 1

_FALLOC_FL_KEEP_SIZE, _FALLOC_FL_PUNCH_HOLE = 1, 2
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP = 1, 4, 24
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 36, 38, 47, 4
_PR_SET_SECUREBITS = 28
_SECBIT_NO_SETUID_FIXUP = 1 << 2


def _function(name: str, *arguments: type[Any]) -> Callable[..., int]:
    """A function of the C library that takes these arguments and returns an int."""
    found = _libc[name]  # each look-up is an object of its own, so that prctl and syscall have several signatures
    found.argtypes, found.restype = arguments, c_int
    return found


def _call(number: int, *arguments: type[Any]) -> Callable[..., int]:
    """A system call that the C library has no function for."""
    found = _libc["syscall"]
    found.argtypes, found.restype = (c_long, *arguments), c_long
    return partial(found, number)


_unshare = _function("unshare", c_int)
_setns = _function("setns", c_int, c_int)
_mount = _function("mount", c_char_p, c_char_p, c_char_p, c_ulong, c_char_p)
_umount2 = _function("umount2", c_char_p, c_int)
_sethostname = _function("sethostname", c_char_p, c_size_t)
_setfsuid = _function("setfsuid", c_uint)
_setfsgid = _function("setfsgid", c_uint)
_renameat2 = _function("renameat2", c_int, c_char_p, c_int, c_char_p, c_uint)
_sync_file_range = _function("sync_file_range", c_int, c_int64, c_int64, c_uint)
_fallocate = _function("fallocate", c_int, c_int, c_int64, c_int64)
_syncfs = _function("syncfs", c_int)
_capset = _function("capset", c_void_p, c_void_p)
_prctl = _function("prctl", c_int, c_ulong, c_ulong, c_ulong, c_ulong)
_inotify_init1 = _function("inotify_init1", c_int)
_inotify_add_watch = _function("inotify_add_watch", c_int, c_char_p, c_uint32)
_pivot_root = _call(_PIVOT_ROOT, c_char_p, c_char_p)
_open_tree = _call(_OPEN_TREE, c_int, c_char_p, c_uint)
_move_mount = _call(_MOVE_MOUNT, c_int, c_char_p, c_int, c_char_p, c_uint)
_mount_setattr = _call(_MOUNT_SETATTR, c_int, c_char_p, c_uint, c_void_p, c_size_t)
_fsopen = _call(_FSOPEN, c_char_p, c_uint)
_fsconfig = _call(_FSCONFIG, c_int, c_uint, c_char_p, c_char_p, c_int)
_fsmount = _call(_FSMOUNT, c_int, c_uint, c_uint)
_openat2 = _call(_OPENAT2, c_int, c_char_p, c_void_p, c_size_t)
_close_range = _call(_CLOSE_RANGE, c_uint, c_uint, c_uint)
_setgroups = _call(_SETGROUPS, c_int, POINTER(c_uint32))
_seccomp = _call(_SECCOMP, c_uint, c_uint, c_void_p)
_keyctl = _call(_KEYCTL, c_int, c_char_p)


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags` for new ones."""
    _checked(_unshare(flags), "unshare")


def setns(descriptor: int, kind: int) -> None:
    """Enter the namespace behind a descriptor, whose CLONE_NEW… flag is `kind`; or several of the process behind it."""
    _checked(_setns(descriptor, kind), "setns")


def mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """mount(2)."""
    named = None if kind is None else kind.encode()
    options = None if data is None else data.encode()
    result = _mount(os.fsencode(source), os.fsencode(target), named, flags, options)
    _checked(result, f"mount {target}")


def umount(target: str, flags: int = MNT_DETACH) -> None:
    """umount2(2)."""
    _checked(_umount2(os.fsencode(target), flags), f"umount {target}")


def pivot_root(new: str, old: str) -> None:
    """pivot_root(2): every process of this mount namespace whose root is the root gets the mount at `new` for it."""
    _checked(_pivot_root(os.fsencode(new), os.fsencode(old)), "pivot_root")


def set_hostname(name: str) -> None:
    """Name the host, as this process's UTS namespace calls it."""
    encoded = name.encode()
    _checked(_sethostname(encoded, len(encoded)), "sethostname")


def open_tree(path: str, *, recursive: bool = False) -> int:
    """A detached copy of the mount at `path`, to be changed and attached elsewhere."""
    flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | (_AT_RECURSIVE if recursive else 0)
    return _checked(_open_tree(_AT_FDCWD, os.fsencode(path), flags), f"open_tree {path}")


def idmap(mount_fd: int, user_namespace_fd: int, attributes: int = 0) -> None:
    """Make a detached mount show owners as the user namespace maps them, and set MOUNT_ATTR_… on it."""
    attr = struct.pack("QQQQ", _MOUNT_ATTR_IDMAP | attributes, 0, 0, user_namespace_fd)
    _checked(_mount_setattr(mount_fd, b"", _AT_EMPTY_PATH, attr, len(attr)), "mount_setattr")


def attach(mount_fd: int, path: str) -> None:
    """Attach a detached mount at `path`."""
    result = _move_mount(mount_fd, b"", _AT_FDCWD, os.fsencode(path), _MOVE_MOUNT_F_EMPTY_PATH)
    _checked(result, f"move_mount {path}")


def clone_mount(place: int, *, recursive: bool = False) -> int:
    """A detached copy of the mount behind a descriptor, from there on down; what is mounted below only if recursive."""
    flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | _AT_EMPTY_PATH | (_AT_RECURSIVE if recursive else 0)
    return _checked(_open_tree(place, b"", flags), "open_tree")


def attach_at(mount_fd: int, place: int) -> None:
    """Attach a detached mount over what a descriptor stands for; or move one there that is attached elsewhere."""
    flags = _MOVE_MOUNT_F_EMPTY_PATH | _MOVE_MOUNT_T_EMPTY_PATH
    _checked(_move_mount(mount_fd, b"", place, b"", flags), "move_mount")


def new_mount(kind: str, options: Sequence[tuple[str, str | None]], attributes: int = 0) -> int:
    """A new detached mount of a file system of this kind. An option with None is a flag."""
    context = _checked(_fsopen(kind.encode(), 1), f"fsopen {kind}")
    try:
        for key, value in options:
            command = _FSCONFIG_SET_FLAG if value is None else _FSCONFIG_SET_STRING
            given = None if value is None else os.fsencode(value)
            _checked(_fsconfig(context, command, key.encode(), given, 0), f"{kind} {key}={value}")
        _checked(_fsconfig(context, _FSCONFIG_CMD_CREATE, None, None, 0), f"{kind} {_complaint(context)}")
        return _checked(_fsmount(context, 1, attributes), f"fsmount {kind}")
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
    _checked(_prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0), "prctl")
    try:
        set_fs_ids(uid, gid)
        yield
    finally:
        set_fs_ids(0, 0)
        _checked(_prctl(_PR_SET_SECUREBITS, 0, 0, 0, 0), "prctl")


def set_fs_ids(uid: int, gid: int) -> None:
    """Set this thread's ids for file access. Leaving uid 0 drops the capabilities over files; returning restores."""
    _setfsgid(gid)
    _setfsuid(uid)
    # They return the ids there were, as signed numbers though ids go up to 2^32.
    if c_uint(_setfsuid(-1)).value != uid or c_uint(_setfsgid(-1)).value != gid:
        raise PermissionError("setfsuid had no effect")


def set_groups(groups: Sequence[int]) -> None:
    """Set the supplementary groups of this thread alone; libc's own function sets those of all threads."""
    _checked(_setgroups(len(groups), (c_uint32 * len(groups))(*groups)), "setgroups")


def openat2(folder: int, path: str, flags: int, mode: int = 0, resolve: int = 0) -> int:
    """openat2(2): like os.open below `folder`, with rules for how the path is resolved."""
    how = struct.pack("QQQ", flags | os.O_CLOEXEC, mode, resolve)
    return _checked(_openat2(folder, os.fsencode(path), how, len(how)), f"open {path}")


def swap(folder: int, one: str, other: str) -> None:
    """Give each of two files in a folder the other's name, at once."""
    _checked(_renameat2(folder, os.fsencode(one), folder, os.fsencode(other), _RENAME_EXCHANGE), "renameat2")


def begin_writing_out(descriptor: int, start: int, count: int) -> None:
    """Have the kernel begin to write a part of a file to the disk; returns before that is done."""
    _checked(_sync_file_range(descriptor, start, count, _SYNC_FILE_RANGE_WRITE), "sync_file_range")


def fallocate(descriptor: int, start: int, count: int) -> None:
    """Take the room of a part of a file on its disk. Python's own writes zeros where the file system cannot do it."""
    _checked(_fallocate(descriptor, 0, start, count), "fallocate")


def punch_hole(descriptor: int, start: int, count: int) -> None:
    """Give back the room of a part of a file. It reads as zeros, and the file keeps its size."""
    mode = _FALLOC_FL_KEEP_SIZE | _FALLOC_FL_PUNCH_HOLE
    _checked(_fallocate(descriptor, mode, start, count), "fallocate")


def sync_file_system(descriptor: int) -> None:
    """Write all that the file system behind a descriptor holds to its disk, and wait for that."""
    _checked(_syncfs(descriptor), "syncfs")


def set_dumpable(*, dumpable: bool) -> None:
    """Allow or forbid others of the same user to look into this process."""
    _checked(_prctl(_PR_SET_DUMPABLE, int(dumpable), 0, 0, 0), "prctl")


def set_subreaper(*, subreaper: bool) -> None:
    """Make this process the parent of orphans of its children, or not."""
    _checked(_prctl(_PR_SET_CHILD_SUBREAPER, int(subreaper), 0, 0, 0), "prctl")


def drop_from_bounding(capabilities: Iterable[int]) -> None:
    """Give capabilities up for good, whatever is executed."""
    for capability in capabilities:
        _checked(_prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0), f"drop capability {capability}")


def set_capabilities(held: int) -> None:
    """Hold just the capabilities in this set of bits, effective and permitted, and hand none of them on."""
    low, high = held & 0xFFFFFFFF, held >> 32
    sets = struct.pack("IIIIII", low, low, 0, high, high, 0)
    _checked(_capset(struct.pack("Ii", _CAPABILITY_VERSION, 0), sets), "capset")
    _checked(_prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "prctl")


def filter_calls(program: bytes) -> None:
    """Have the kernel judge each system call of this process from now on by a program of seccomp's."""
    held = create_string_buffer(program, len(program))
    described = struct.pack("HxxxxxxP", len(program) // _INSTRUCTION_BYTES, addressof(held))
    _checked(_seccomp(_SET_MODE_FILTER, _FILTER_SPEC_ALLOW, described), "seccomp")


def hand_on_none_from(first: int) -> None:
    """Have every descriptor from `first` on closed when a program is executed."""
    _checked(_close_range(first, 0xFFFFFFFF, _CLOSE_RANGE_CLOEXEC), "close_range")


def end_with_parent(number: int) -> None:
    """Have the kernel send this process a signal when its parent ends. A change of users takes that back."""
    _checked(_prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0), "prctl")


def gain_no_privileges() -> None:
    """Have no program that this process or a child of it executes gain privileges, such as by a set-uid bit."""
    _checked(_prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")


def join_new_session_keyring() -> None:
    """Have a new session keyring, empty and without a name, for this process and its children: the one that it had is
    known to its parents."""
    _checked(_keyctl(_JOIN_SESSION_KEYRING, None), "keyctl")


def inotify() -> int:
    """A descriptor that tells of changes of files, and does not wait."""
    return _checked(_inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC), "inotify_init1")


def watch_file(descriptor: int, path: str | os.PathLike[str], events: int) -> int:
    """Have an inotify descriptor tell of these events of a file. Returns the number of the watch."""
    return _checked(_inotify_add_watch(descriptor, os.fsencode(path), events), "inotify_add_watch")
