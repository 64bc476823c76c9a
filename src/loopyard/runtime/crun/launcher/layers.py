"""The root file system of a sandbox: its own disk over an image, and in it what it is to find there."""

import json
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loopyard.runtime.crun.launcher import placing
from loopyard.runtime.syscalls import (
    MOUNT_ATTR_RDONLY,
    attach,
    files_owned_by,
    idmap,
    new_mount,
    open_tree,
    umount,
)


@dataclass(frozen=True, slots=True)
class IdMap:
    """A descriptor of a sandbox's user namespace, and the host's uid of the sandbox's root."""

    user_namespace: int
    uid_base: int


@contextmanager
def layered(folder: str, place: str, image: str, disk: str, ids: IdMap) -> Generator[int]:
    """A mount of it that is attached nowhere yet; whoever attaches it must do so before the block ends.

    Args:
        folder: Where its layers are mounted meanwhile; for nobody else.
        place: The file that says what is put into it.
        image: The folder below everything; only read.
        disk: Where the sandbox's changes go.
        ids: Whose the files are.
    """
    uid_base = ids.uid_base
    lower, upper = f"{folder}/lower", f"{folder}/upper"
    with mounted([(image, lower, MOUNT_ATTR_RDONLY), (disk, upper, 0)], ids.user_namespace):
        with short_paths(lower, upper) as (low, up), files_owned_by(uid_base, uid_base):
            options = [("source", "overlay"), ("lowerdir", low), ("upperdir", f"{up}/upper"), ("workdir", f"{up}/work")]
            # The mounter's ids are what the overlay writes as: in the upper layer they become the box's root.
            whole = new_mount("overlay", options)
            try:
                kept = os.path.lexists(f"{up}/upper/etc")  # a new disk is empty
                placing.put(whole, json.loads(Path(place).read_text()), uid_base, kept=kept)
            except BaseException:
                os.close(whole)
                raise
        yield whole
        os.close(whole)


@contextmanager
def short_paths(*folders: str) -> Generator[list[str]]:
    """Paths of these folders for the options of a mount, good in this process until the block ends: an option has at
    most 255 bytes, and overlay takes colons in a lower folder's path for separators."""
    descriptors = [os.open(folder, os.O_PATH | os.O_DIRECTORY) for folder in folders]
    try:
        yield [f"/proc/self/fd/{descriptor}" for descriptor in descriptors]
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


@contextmanager
def mounted(folders: Sequence[tuple[str, str, int]], user_namespace: int) -> Generator[None]:
    """Have each folder mounted at another meanwhile, with MOUNT_ATTR_… and its owners as the user namespace maps them.
    An overlay that is made of them has mounts of its own."""
    done: list[str] = []
    try:
        for source, target, attributes in folders:
            os.makedirs(target, exist_ok=True)
            tree = open_tree(source)
            idmap(tree, user_namespace, attributes)
            attach(tree, target)
            done.append(target)
            os.close(tree)
        yield
    finally:
        for target in reversed(done):
            umount(target)
