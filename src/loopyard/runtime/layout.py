"""Where the provider keeps things on the host."""

import json
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from loopyard.kit.host.full_disk import reserved

_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}")


def _safe(id: str) -> str:
    if not _SAFE.fullmatch(id):
        raise ValueError(f"{id!r} cannot be an id: it must be a plain file name")
    return id


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders below the data folder."""

    data: Path

    @property
    def sandboxes(self) -> Path:
        return self.data / "sandboxes"

    @property
    def ready_ones(self) -> Path:
        return self.data / "ready"

    @property
    def pool(self) -> Path:
        """Where the launcher sees the sandboxes' disk."""
        return self.data / "pool"

    @property
    def pool_image(self) -> Path:
        return self.data / "pool.btrfs"

    @property
    def acts(self) -> Path:
        """Locked while somebody changes sandboxes."""
        return self.data / "acts.lock"

    @property
    def commands(self) -> Path:
        return _below(self.data, "commands")

    def bundle(self, sandbox_id: str) -> Path:
        """Folder in which crun and this provider keep a sandbox."""
        return self.sandboxes / _safe(sandbox_id)

    def ready(self, name: str) -> Path:
        """The same of one that was made before anybody asked for it. It stays there when somebody gets it."""
        return self.ready_ones / _safe(name)

    def disk(self, sandbox_id: str) -> Path:
        """A sandbox's changes to its image."""
        return self.pool / "boxes" / _safe(sandbox_id)

    def baseline(self, sandbox_id: str) -> Path:
        """A sandbox's disk as it was when its baseline was taken."""
        return self.pool / "grounds" / _safe(sandbox_id)

    def shared(self, name: str) -> Path:
        """A folder that sandboxes share."""
        return self.pool / "shared" / _safe(name)

    def shared_mark(self, name: str) -> Path:
        """The file whose time is when a shared folder was last used."""
        return self.data / "shared" / _safe(name)

    def commands_of(self, sandbox_id: str) -> Path:
        return _below(self.commands, sandbox_id)

    @property
    def snapshots(self) -> Path:
        """Folder of snapshots' records, each a JSON file."""
        return self.data / "snapshots"

    def snapshot_file(self, snapshot_id: str) -> Path:
        return self.snapshots / f"{_safe(snapshot_id)}.json"

    def snapshot_disk(self, snapshot_id: str) -> Path:
        """The disk that a snapshot holds."""
        return self.pool / "snapshots" / _safe(snapshot_id)

    def command(self, sandbox_id: str, command_id: str) -> Path:
        """Folder of a command's output and result."""
        return _below(self.commands_of(sandbox_id), command_id)


@lru_cache(maxsize=1024)
def _below(folder: Path, name: str) -> Path:
    """A path that is asked for again and again while a command runs: making one costs more than looking at the file."""
    return folder / _safe(name)


def write_whole(path: Path, content: Any) -> None:
    """Write JSON to a file that is there complete or not at all. Room that `full_disk.reserve` took is used.

    Raises:
        OSError: The disk is full, or the folder is gone.
    """
    temporary = reserved(path)
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        data = json.dumps(content).encode()
        _write_all(file, data)
        os.ftruncate(file, len(data))  # not before: that would give away the room that was reserved
    finally:
        os.close(file)
    temporary.rename(path)


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def read_json(path: Path) -> Any | None:
    """The content of a JSON file; None where there is none, or an empty one, as a power cut leaves those that were just
    written."""
    try:
        with path.open("rb", buffering=0) as file:
            content = file.read()
            return json.loads(content) if content else None
    except (FileNotFoundError, NotADirectoryError):
        return None


def subfolders(path: Path) -> list[str]:
    """The names of the folders in a folder; none where it does not exist."""
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
