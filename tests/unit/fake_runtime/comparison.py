"""Tells what was changed in a folder of a disk in memory."""

from loopyard.runtime.folder_changes import FolderChanges
from loopyard.runtime.patches.writer import PatchWriter, Version
from tests.unit.fake_runtime.disk import Disk, File, Folder, Link


def compare(before: Disk, after: Disk, path: str) -> FolderChanges:
    """Changes from one disk to another in the folder of this path."""
    old, new = _versions(before, path), _versions(after, path)
    writer = PatchWriter()
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            writer.add(name.encode(errors="surrogateescape"), old.get(name), new.get(name))
    patch = writer.patch()
    return FolderChanges(patch.data, patch.files, patch.left_out, patch.added, patch.removed, (), complete=True)


def _versions(disk: Disk, path: str) -> dict[str, Version]:
    found: dict[str, Version] = {}
    if disk.exists(path) and isinstance(folder := disk.get(path), Folder):
        _collect(folder, "", found)
    return found


def _collect(folder: Folder, path: str, found: dict[str, Version]) -> None:
    for name, node in folder.names.items():
        match node:
            case Folder():
                _collect(node, f"{path}{name}/", found)
            case File():
                mode = 0o100755 if node.mode & 0o100 else 0o100644
                found[path + name] = Version(mode, bytes(node.data), len(node.data))
            case Link():
                found[path + name] = Version(0o120000, node.target.encode(), len(node.target))
            case _:
                pass
