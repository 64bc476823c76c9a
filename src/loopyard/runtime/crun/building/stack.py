"""The root file system of a step: buildah's layers, seen through the build's own range of user ids."""

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loopyard.runtime.crun.syscalls import (
    MOUNT_ATTR_RDONLY,
    MS_BIND,
    attach,
    files_owned_by,
    idmap,
    mount,
    new_mount,
    open_tree,
    umount,
)

_MOUNTS = Path("/proc/self/mountinfo")
_IN_MEMORY = "/dev/shm/"  # noqa: S108  (where buildah puts secrets)
_MOST_JOINED = 50
"""How many layers are named at once, which every kernel takes. A text for a mount has at most 255 characters."""


@dataclass(frozen=True, slots=True)
class Stack:
    """What is mounted for one step below `folder`. `user_namespace` is the path of the build's."""

    folder: Path
    user_namespace: str
    uid_base: int

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def put_up(self, root: str) -> str:
        """Stack the layers of buildah's own mount at `root` anew. Returns the folder that the step's changes go to.

        buildah's mount is not looked at again before the layer is kept, and that is read from the changes' folder.
        """
        lowers, upper = layers(root)
        self.root.mkdir(parents=True)
        os.chdir(self.folder)
        names = [f"l{number}" for number in range(len(lowers))]
        for name, lower in zip(names, lowers, strict=True):
            self._attach(lower, name, MOUNT_ATTR_RDONLY)
        changes, name = os.path.split(upper)
        work = Path(changes) / "loopyard-work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        self._attach(changes, "upper")
        options: list[tuple[str, str | None]] = [("source", "overlay")]
        if len(names) <= _MOST_JOINED:
            options.append(("lowerdir", ":".join(names)))
        else:
            options += [("lowerdir+", name) for name in names]
        options += [("upperdir", f"upper/{name}"), ("workdir", "upper/loopyard-work"), ("volatile", None)]
        with files_owned_by(self.uid_base, self.uid_base):
            mounted = new_mount("overlay", options)
        attach(mounted, "root")
        os.close(mounted)
        return upper

    def bind(self, given: dict[str, Any]) -> dict[str, Any]:
        """The same mount, from a place where the step's root gets to, with owners as it sees them."""
        if not os.path.exists(given.get("source", "")):  # noqa: PTH110  (a tmpfs has no source)
            return given
        number = sum(1 for _ in self.folder.glob("b*"))
        target = self.folder / f"b{number}"
        target.mkdir() if Path(given["source"]).is_dir() else target.touch()
        if Path(given["source"]).is_file() and given["source"].startswith(_IN_MEMORY):
            # Kernels before 6.3 cannot map the ids of files in memory. The copy is in memory, too.
            mount("tmpfs", str(hold := self._holder(number)), "tmpfs", 0, "size=16m,mode=711")
            copy = hold / "value"
            shutil.copyfile(given["source"], copy)
            status = os.stat(given["source"])  # noqa: PTH116
            os.chown(copy, self.uid_base + status.st_uid, self.uid_base + status.st_gid)
            copy.chmod(status.st_mode & 0o777)
            mount(str(copy), str(target), None, MS_BIND)
        else:
            self._attach(given["source"], str(target))
        return {**given, "source": str(target)}

    def _holder(self, number: int) -> Path:
        folder = self.folder / f"m{number}"
        folder.mkdir()
        return folder

    def _attach(self, source: str, target: str, attributes: int = 0) -> None:
        if not os.path.exists(target):  # noqa: PTH110
            Path(target).mkdir()
        tree = open_tree(os.path.realpath(source))
        namespace = os.open(self.user_namespace, os.O_RDONLY)
        idmap(tree, namespace, attributes)
        attach(tree, target)
        os.close(namespace)
        os.close(tree)

    def take_down(self) -> None:
        """Unmount all of it. Does nothing if it is not there."""
        prefix = f"{self.folder}/"
        targets = [line.split()[4] for line in _MOUNTS.read_text().splitlines()]
        for target in reversed(targets):
            if target.startswith(prefix):
                with contextlib.suppress(OSError):
                    umount(target)
        shutil.rmtree(self.folder, ignore_errors=True)


def layers(root: str) -> tuple[list[str], str]:
    """The folders of the overlay that is mounted at `root`: those below, and the one that is written to."""
    line = next(line for line in _MOUNTS.read_text().splitlines() if line.split()[4] == root)
    options: dict[str, str] = {}
    for option in line.split()[-1].split(","):
        name, _, value = option.partition("=")
        options[name] = value
    upper = _plain(options["upperdir"])
    layers = [_plain(path) for path in options["lowerdir"].split(":") if path]
    home = os.path.dirname(os.path.dirname(upper))  # noqa: PTH120  (relative paths start at the storage's folder)
    return [path if path.startswith("/") else f"{home}/{path}" for path in layers], upper


def _plain(path: str) -> str:
    """A path without the kernel's escapes."""
    for escape, character in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        path = path.replace(escape, character)
    return path
