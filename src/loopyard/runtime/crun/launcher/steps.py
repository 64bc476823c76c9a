"""Ground of a step of a build, which a sandbox has not: several layers below, changes elsewhere, mounts."""

import json
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

from loopyard.runtime.crun.launcher import placing
from loopyard.runtime.crun.launcher.layers import IdMap, mounted
from loopyard.runtime.syscalls import (
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_RDONLY,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
    attach,
    attach_at,
    files_owned_by,
    idmap,
    new_mount,
    open_tree,
    openat2,
    umount,
)

_MOST_JOINED = 50
"""How many layers are named at once, which every kernel takes."""

_RESOLVE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS


class StepMount(TypedDict):
    """A mount of a RUN. `target` is absolute. `layers` are the folders, or the one file, that are seen there; none for
    a new file system in memory of `size` bytes at most, and for a secret, whose `secret` is a file with the value and
    has `mode` and `owner`. `scratch` is an empty folder on the host that takes what is written, and is thrown away."""

    target: str
    layers: list[str]
    scratch: str | None
    read_only: bool
    size: int | None
    secret: str | None
    mode: int
    owner: tuple[int, int]


class StepGround(TypedDict):
    """`layers` are the folders below, from the top; `changes` is the folder that takes `upper` and `work`."""

    layers: list[str]
    changes: str
    mounts: list[StepMount]


def read_ground(file: str) -> StepGround:
    """The ground that a file in JSON tells of."""
    return json.loads(Path(file).read_text())


@contextmanager
def step_root(folder: str, place: str, ground: StepGround, ids: IdMap) -> Generator[tuple[int, list[tuple[str, int]]]]:
    """The root file system of a step, attached nowhere yet, and the mounts that belong into it, with their targets.

    Args:
        folder: Where its parts are mounted meanwhile; for nobody else.
        place: The file that says what is put into it.
        ground: What it is made of.
        ids: Whose the files are.
    """
    uid_base = ids.uid_base
    for name in ("upper", "work"):
        os.makedirs(f"{ground['changes']}/{name}", 0o755, exist_ok=True)
    whole = _overlay(f"{folder}/root", ground["layers"], ground["changes"], ids)
    parts: list[tuple[str, int]] = []
    try:
        with files_owned_by(uid_base, uid_base):
            placing.put(whole, json.loads(Path(place).read_text()), uid_base, kept=False)
        for number, one in enumerate(ground["mounts"]):
            is_file = one["secret"] is not None or (len(one["layers"]) == 1 and os.path.isfile(one["layers"][0]))
            with files_owned_by(uid_base, uid_base):
                _make_target(whole, one["target"], is_file=is_file)
            parts.append((one["target"], _part(f"{folder}/m{number}", one, ids)))
        yield whole, parts
    finally:
        for _, descriptor in parts:
            os.close(descriptor)
        os.close(whole)


def attach_parts(root: int, parts: Sequence[tuple[str, int]]) -> None:
    """Attach the mounts of a step to the root file system behind a descriptor, which is attached itself."""
    for target, descriptor in parts:
        place = openat2(root, target.lstrip("/") or ".", os.O_PATH, 0, _RESOLVE)
        attach_at(descriptor, place)
        os.close(place)


def _part(folder: str, given: StepMount, ids: IdMap) -> int:
    attributes = MOUNT_ATTR_NODEV | (MOUNT_ATTR_RDONLY if given["read_only"] else 0)
    if given["secret"] is not None:
        return _secret(folder, given, ids.uid_base)
    if not given["layers"]:
        options: list[tuple[str, str | None]] = [("source", "tmpfs"), ("mode", "1777")]
        options += [("uid", str(ids.uid_base)), ("gid", str(ids.uid_base))]
        if given["size"] is not None:
            options.append(("size", str(given["size"])))
        return new_mount("tmpfs", options, attributes)
    if len(given["layers"]) == 1 and given["scratch"] is None:
        tree = open_tree(given["layers"][0])
        idmap(tree, ids.user_namespace, attributes)
        return tree
    return _overlay(folder, given["layers"], given["scratch"], ids, attributes)


def _secret(folder: str, given: StepMount, uid_base: int) -> int:
    """A file in memory, mounted alone: it leaves nothing behind."""
    os.makedirs(folder, exist_ok=True)
    held = new_mount("tmpfs", [("source", "tmpfs"), ("mode", "0700"), ("size", "16m")], MOUNT_ATTR_NODEV)
    attach(held, folder)
    os.close(held)
    try:
        value = f"{folder}/value"
        Path(value).write_bytes(Path(str(given["secret"])).read_bytes())
        os.chown(value, uid_base + given["owner"][0], uid_base + given["owner"][1])
        os.chmod(value, given["mode"])
        return open_tree(value)
    finally:
        umount(folder)


def _overlay(folder: str, layers: Sequence[str], changes: str | None, ids: IdMap, attributes: int = 0) -> int:
    """A detached overlay of layers, from the top, with owners as the user namespace maps them."""
    os.makedirs(folder, exist_ok=True)
    if changes is not None:
        for name in ("upper", "work"):
            os.makedirs(f"{changes}/{name}", 0o755, exist_ok=True)
    names = [f"l{number}" for number in range(len(layers))]
    below = [(layer, f"{folder}/{name}", MOUNT_ATTR_RDONLY) for layer, name in zip(layers, names, strict=True)]
    above = [] if changes is None else [(changes, f"{folder}/upper", 0)]
    back = os.open(".", os.O_PATH | os.O_DIRECTORY)
    with mounted([*below, *above], ids.user_namespace):
        os.chdir(folder)  # an option of a mount has at most 255 bytes
        try:
            options: list[tuple[str, str | None]] = [("source", "overlay")]
            if len(names) <= _MOST_JOINED:
                options.append(("lowerdir", ":".join(names)))
            else:
                options += [("lowerdir+", name) for name in names]
            if changes is not None:
                options += [("upperdir", "upper/upper"), ("workdir", "upper/work"), ("volatile", None)]
                options += [("redirect_dir", "off"), ("metacopy", "off")]  # a layer is read file by file later
            # The mounter's ids are what the overlay writes as: in the changes they become the box's root.
            with files_owned_by(ids.uid_base, ids.uid_base):
                return new_mount("overlay", options, attributes)
        finally:
            os.fchdir(back)
            os.close(back)


def _make_target(root: int, target: str, *, is_file: bool) -> None:
    """Make what a mount is attached to, unless it is there."""
    names = [name for name in target.split("/") if name not in ("", ".", "..")]
    path = ""
    for number, name in enumerate(names):
        path = f"{path}/{name}".lstrip("/")
        try:
            os.close(openat2(root, path, os.O_PATH, 0, _RESOLVE))
            continue
        except FileNotFoundError:
            pass
        parent = openat2(root, os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY, 0, _RESOLVE)
        try:
            if is_file and number == len(names) - 1:
                os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644, dir_fd=parent))
            else:
                os.mkdir(name, 0o755, dir_fd=parent)
        finally:
            os.close(parent)
