"""Keeps room on the host for the sandboxes' disk: all that its file system may write to is taken beforehand.

A btrfs whose file meets a full host turns read-only for good. So its file system is made small, no larger than the room
that is reserved for it, and grows into the file in steps, as long as the host has room. Where the host has none left,
sandboxes meet a full disk, which does no harm. A child of the launcher sees to that. It stays without its launcher as
long as any sandbox runs, unless the next launcher's takes over, and gives back what is free when none does.
"""

import contextlib
import fcntl
import json
import os
import select
import signal
import struct
from collections.abc import Generator
from contextlib import contextmanager

from loopyard.kit.host.full_disk import LEAST_FREE_BYTES, is_full
from loopyard.runtime.crun.host import btrfs
from loopyard.runtime.crun.launcher.processes import keep_only, log_unexpected
from loopyard.runtime.proc import start_ticks
from loopyard.runtime.syscalls import fallocate, punch_hole

FIRST_BYTES = 1 << 30
"""The size of the file system when it is made, in bytes."""

_LEAST_AHEAD_BYTES, _MOST_AHEAD_BYTES = 768 << 20, 4 << 30
"""How much of its device the file system has not given out to data or metadata: an eighth of the host's free room,
within these bounds. Sandboxes see it as free, and may take all of it in one call (`fallocate`). The least is kept as
long as the host has it: there may be no room for metadata though there is much for data."""

_MARK = "pool.reserved"

_HOST_BYTES = 4 * LEAST_FREE_BYTES
"""Room left to the host for all else, in bytes."""

_STEP_BYTES = 1 << 30
_LEAST_STEP_BYTES = 64 << 20
_AHEAD = 4
"""A step is at least so many times what was written since the last look."""

_LOOK_SECONDS = 0.2
_SUPERBLOCK, _MAGIC_AT, _SIZE_AT = 64 << 10, 0x40, 0x70
_MAGIC = b"_BHRfS_M"


class NoFileSystem(OSError):
    """The file of the sandboxes' disk holds no btrfs."""


def mark(image: str) -> str:
    """The file beside the one of a disk that says that room is kept for it, and which process does."""
    return os.path.join(os.path.dirname(image), _MARK)


def fill(image: str) -> None:
    """Take all the room that the file system in the file `image` may write to. It need not be mounted.

    Raises:
        NoFileSystem: There is none in the file.
        OSError: The host has not got that room.
    """
    with _held(image) as file:
        size = _size_of(file)
        try:
            fallocate(file, 0, size)
        except OSError as error:
            if not is_full(error):
                raise
            missing = max(0, size - os.fstat(file).st_blocks * 512)
            raise OSError(
                error.errno,
                f"the sandboxes' disk needs {(missing >> 20) + 1} MiB more than the host's disk has free; make room",
            ) from error


def is_kept(image: str) -> bool:
    """True if room is kept for the file system in this file."""
    return os.path.exists(mark(image))


def adopt(image: str, pool: str) -> bool:
    """Keep room from now on for a file system, mounted at `pool`, that was made as large as its file: make it no larger
    than what it has given out, and take that. Returns whether the host had the room."""
    with _held(image) as file:
        size = min(btrfs.end_of_use(pool) + _STEP_BYTES, os.fstat(file).st_size)
        try:
            btrfs.resize(pool, size)
            fallocate(file, 0, size)
        except OSError:
            return False
        os.close(os.open(mark(image), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    return True


def keep(image: str, pool: str, sandboxes: list[str]) -> int:
    """Start the process that keeps room for the file system in `image`, which is mounted at `pool`. `sandboxes` are the
    folders of sandboxes' folders. Returns its process id."""
    launcher = os.pidfd_open(os.getpid())
    pid = os.fork()
    if pid == 0:
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            keep_only([launcher])
            _keep(launcher, image, pool, sandboxes)
        except Exception:
            log_unexpected("keeping room for the sandboxes' disk")
        finally:
            os._exit(0)
    os.close(launcher)
    return pid


def _keep(launcher: int, image: str, pool: str, sandboxes: list[str]) -> None:
    poll = select.poll()
    poll.register(launcher, select.POLLIN)
    is_alone = False
    _take_charge(image)
    free, _ = btrfs.device(pool)
    while True:
        before, (free, _) = free, btrfs.device(pool)
        wanted = _missing(image, free)
        if wanted > 0:
            _grow(image, pool, max(wanted, _STEP_BYTES, _AHEAD * (before - free)))
        if not is_alone:
            is_alone = bool(poll.poll(_LOOK_SECONDS * 1000))
        elif _is_relieved(image):
            return
        elif any(map(_any_runs, sandboxes)):
            select.select((), (), (), _LOOK_SECONDS)
        else:
            give_back(image, pool)
            return


def _take_charge(image: str) -> None:
    """Write down that this process keeps the room from now on. Where the host has no room for that, both stay."""
    with contextlib.suppress(OSError), open(mark(image), "w", encoding="ascii") as file:
        file.write(f"{os.getpid()} {start_ticks(os.getpid())}\n")


def _is_relieved(image: str) -> bool:
    """True if another process has taken over, and lives."""
    try:
        with open(mark(image), encoding="ascii") as file:
            pid, ticks = map(int, file.read().split())
        return pid != os.getpid() and start_ticks(pid) == ticks
    except (OSError, ValueError):
        return False


def give_back(image: str, pool: str) -> None:
    """Give the host back what is free in the file system; nobody may write to it any more."""
    with _held(image) as file, contextlib.suppress(OSError):
        size = btrfs.end_of_use(pool) + _STEP_BYTES
        if size < btrfs.device(pool)[1]:
            btrfs.resize(pool, size)
        # Also where a kill came between the two the last time.
        end, most = btrfs.device(pool)[1], os.fstat(file).st_size
        if end < most:
            punch_hole(file, end, most - end)
        btrfs.trim(pool)


def _missing(image: str, free: int) -> int:
    """How many bytes the file system has to grow by, where `free` bytes are not given out."""
    ahead = max(_LEAST_AHEAD_BYTES, min(_MOST_AHEAD_BYTES, _host_room(image) // 8))
    return ahead - free if free < max(_LEAST_AHEAD_BYTES, ahead * 3 // 4) else 0


def _host_room(image: str) -> int:
    """How many bytes of the host's disk may be taken."""
    host = os.statvfs(image)
    return host.f_bavail * host.f_frsize - _HOST_BYTES


def _grow(image: str, pool: str, wanted: int) -> None:
    """Make the file system larger, as far as the host has room."""
    with _held(image) as file:
        (_, size), most = btrfs.device(pool), os.fstat(file).st_size
        step = min(wanted, most - size, _host_room(image)) // _LEAST_STEP_BYTES * _LEAST_STEP_BYTES
        if step <= 0:
            return
        try:
            fallocate(file, size, step)
        except OSError as error:
            if is_full(error):
                return
            raise
        btrfs.resize(pool, size + step)


def _size_of(file: int) -> int:
    head = os.pread(file, 4096, _SUPERBLOCK)
    if head[_MAGIC_AT : _MAGIC_AT + len(_MAGIC)] != _MAGIC:
        raise NoFileSystem("there is no btrfs in it")
    (size,) = struct.unpack_from("<Q", head, _SIZE_AT)
    return min(size, os.fstat(file).st_size)


def _any_runs(folder: str) -> bool:
    """Look for a sandbox that runs among those whose folders are in this one."""
    with contextlib.suppress(FileNotFoundError):
        return any(_runs(f"{folder}/{name}/state.json") for name in os.listdir(folder))
    return False


def _runs(state: str) -> bool:
    try:
        with open(state, encoding="utf-8") as file:
            told = json.load(file)
        return start_ticks(told["pid"]) == told["start_ticks"]
    except (OSError, ValueError, KeyError):
        return False


@contextmanager
def _held(image: str) -> Generator[int]:
    """A descriptor of the file, while nobody else takes or gives back room in it."""
    file = os.open(image, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)
