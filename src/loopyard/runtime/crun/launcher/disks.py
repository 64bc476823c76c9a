"""The disks of sandboxes: what they changed of their image. On btrfs a subvolume each, elsewhere a plain folder."""

import contextlib
import os
import shutil
from pathlib import Path

from loopyard.runtime.crun.host import btrfs
from loopyard.runtime.crun.launcher.programs import run
from loopyard.runtime.crun.launcher.requests import (
    Answer,
    DeleteDisk,
    Done,
    ListDisks,
    Measure,
    MeasureShared,
    Names,
    PutAside,
    Size,
    Snapshot,
    Spaces,
)
from loopyard.runtime.shared_bytes import shared_spaces
from loopyard.runtime.syscalls import swap

_MOST_NAMES = 500


def beside(disk: str) -> str:
    """Where a disk is that is being made and is to have this one's name, or one that had it."""
    return f"{disk}.new"


def make_disk(disk: str, disk_bytes: int | None, snapshot: str | None) -> None:
    """Make a disk unless it is there: empty, or with what the snapshot holds. `disk_bytes` None means no limit."""
    parent, name = os.path.split(disk)
    os.makedirs(parent, exist_ok=True)
    if not os.path.exists(disk):
        if snapshot is not None:
            copy_disk(snapshot, disk)
        elif disk_bytes is not None:
            btrfs.create_subvolume(parent, name)
    if disk_bytes is not None:
        btrfs.limit_size(disk, disk_bytes)
    for folder in (f"{disk}/upper", f"{disk}/work"):
        os.makedirs(folder, 0o755, exist_ok=True)


def copy_disk(source: str, target: str, *, read_only: bool = False) -> None:
    """Make `target` the same as `source` is now: at once where both are on btrfs, else file by file."""
    parent, name = os.path.split(target)
    os.makedirs(parent, exist_ok=True)
    if btrfs.is_subvolume(source):
        btrfs.snapshot(source, parent, name, read_only=read_only)
        return
    shutil.rmtree(beside(target), ignore_errors=True)
    run(["cp", "--archive", "--reflink=auto", source, beside(target)])
    os.rename(beside(target), target)


def delete_disk(disk: str) -> None:
    """Delete a disk, if it is there."""
    parent, name = os.path.split(disk)
    with contextlib.suppress(FileNotFoundError):
        if btrfs.is_subvolume(disk):
            btrfs.delete_subvolume(parent, name)
        else:
            shutil.rmtree(disk, ignore_errors=True)


def change_disk(disk: str) -> None:
    """Give the disk beside one its name, and the other way round, at once."""
    parent = os.open(os.path.dirname(disk), os.O_RDONLY | os.O_DIRECTORY)
    try:
        swap(parent, os.path.basename(disk), os.path.basename(beside(disk)))
    finally:
        os.close(parent)


def snapshot(answer: Answer, request: Snapshot) -> None:
    """Keep a disk as it is now under another name."""
    at_once = btrfs.is_subvolume(request.disk)
    if not os.path.exists(request.target):
        # What btrfs takes is of one moment by itself; copying file by file needs a sandbox that holds still.
        held = None if at_once else request.pause
        if held is not None:
            run([*request.crun, "pause", held])
        try:
            copy_disk(request.disk, request.target, read_only=True)
        finally:
            if held is not None:
                run([*request.crun, "resume", held])
    answer(Size(btrfs.held_bytes(request.disk) if at_once else None))


def delete(answer: Answer, request: DeleteDisk) -> None:
    """Delete a snapshot, or a shared folder."""
    delete_disk(request.disk)
    answer(Done())


def put_aside(answer: Answer, request: PutAside) -> None:
    """Give a folder another name, if it is there."""
    if os.path.exists(request.folder):
        os.rename(request.folder, request.aside)
    answer(Done())


def listing(answer: Answer, request: ListDisks) -> None:
    """The next names of the disks in a folder."""
    names = sorted(os.listdir(request.folder)) if os.path.isdir(request.folder) else []
    answer(Names([name for name in names if name > request.after][:_MOST_NAMES]))


def measure(answer: Answer, request: Measure) -> None:
    """How many bytes the disks in a folder hold together."""
    total = 0
    for name in os.listdir(request.folder) if os.path.isdir(request.folder) else []:
        disk = f"{request.folder}/{name}"
        held = btrfs.held_bytes(disk) if btrfs.is_subvolume(disk) else None
        total += _size(disk) if held is None else held
    answer(Size(total))


def measure_shared(answer: Answer, request: MeasureShared) -> None:
    """How many bytes the disks in some folders share."""
    found = shared_spaces([[Path(folder)] for folder in request.folders], request.seconds, one_disk=True)
    answer(Spaces([one.apparent for one in found], [one.on_disk for one in found], [one.complete for one in found]))


def _size(folder: str) -> int:
    """Size of a folder's contents; of links to one file the first counts."""
    sizes: dict[int, int] = {}
    for below, _, files in os.walk(folder):
        for name in files:
            try:
                found = os.lstat(f"{below}/{name}")
            except FileNotFoundError:
                continue
            sizes[found.st_ino] = found.st_blocks * 512
    return sum(sizes.values())
