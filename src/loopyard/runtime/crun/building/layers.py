"""Layers of builds, as folders beside the images, and the cache that tells which step has made which.

A layer is a folder `NAME/upper`, as the kernel's overlay writes it. It gets its name once it is complete, and only then
the cache has a row of it. What was written before the machine's power went is believed only if it had been synced.
"""

import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from loopyard.runtime.crun.building.removal import delete_folder
from loopyard.runtime.syscalls import sync_file_system

_NEW = ".new"
_ALIAS = "="
"""Mark before a key in a row that has no layer of its own."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_WAIT_SECONDS = 30
_SCHEMA = """
CREATE TABLE IF NOT EXISTS steps (
    key TEXT PRIMARY KEY, layer TEXT NOT NULL, boot TEXT NOT NULL, synced INTEGER NOT NULL, used REAL NOT NULL
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that is complete. `name` is empty for a step that has changed nothing."""

    name: str

    def __bool__(self) -> bool:
        return bool(self.name)


class Layers:
    """Layers and their cache below the folder of images. Servers that share that folder share them."""

    def __init__(self, images: Path) -> None:
        self.folder = images / "layers"
        self._file = images / "build-cache.db"
        self._boot = _BOOT.read_text().strip()
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None

    def path(self, layer: Layer) -> str:
        """The folder that holds what the layer has changed."""
        return str(self.folder / layer.name / "upper")

    def begin(self) -> Path:
        """A new folder for a layer that is being made, with `upper` and `work`."""
        made = self.folder / f"{secrets.token_hex(16)}{_NEW}"
        for name in ("upper", "work"):
            (made / name).mkdir(mode=0o755, parents=True)
        return made

    def complete(self, made: Path) -> Layer:
        """Give a layer its name; one that is empty is dropped."""
        delete_folder(made / "work")
        with os.scandir(made / "upper") as entries:
            is_empty = next(entries, None) is None
        if is_empty:
            delete_folder(made)
            return Layer("")
        kept = made.with_name(made.name.removesuffix(_NEW))
        made.rename(kept)
        return Layer(kept.name)

    def drop(self, made: Path) -> None:
        """Delete a layer that was not completed."""
        delete_folder(made)

    def find(self, key: str) -> Layer | None:
        """The layer that a step with this key has made, if it is there."""
        with self._lock:
            row = self._store().execute("SELECT layer, boot, synced FROM steps WHERE key = ?", (key,)).fetchone()
            if row is None:
                return None
            layer = Layer(row[0])
            if row[0].startswith(_ALIAS):
                return None
            if (row[2] or row[1] == self._boot) and (not layer or (self.folder / layer.name).is_dir()):
                return layer
            self._store().execute("DELETE FROM steps WHERE key = ?", (key,))
        return None

    def keep(self, key: str, layer: Layer) -> Layer:
        """Write down what a step has made. Another build may have been first: then its layer counts. Returns that."""
        with self._lock:
            store = self._store()
            statement = "INSERT INTO steps VALUES (?, ?, ?, 0, ?) ON CONFLICT (key) DO NOTHING"
            store.execute(statement, (key, layer.name, self._boot, time.time()))
            (name,) = store.execute("SELECT layer FROM steps WHERE key = ?", (key,)).fetchone()
        if name != layer.name and layer:
            delete_folder(self.folder / layer.name)
        return Layer(name)

    def alias(self, key: str) -> str | None:
        """The key that this one stands for."""
        with self._lock:
            row = self._store().execute("SELECT layer FROM steps WHERE key = ?", (key,)).fetchone()
        return row[0].removeprefix(_ALIAS) if row is not None and row[0].startswith(_ALIAS) else None

    def keep_alias(self, key: str, other: str) -> None:
        """Have a key stand for another one, which is found with more work."""
        with self._lock:
            statement = "INSERT OR REPLACE INTO steps VALUES (?, ?, ?, 1, ?)"
            self._store().execute(statement, (key, f"{_ALIAS}{other}", self._boot, time.time()))

    def used(self, keys: Iterable[str]) -> None:
        """Note that a build has used these rows."""
        with self._lock, self._store() as store:
            store.execute("BEGIN IMMEDIATE")
            store.executemany("UPDATE steps SET used = ? WHERE key = ?", [(time.time(), key) for key in keys])

    def sync(self, keys: Iterable[str]) -> None:
        """Have the disk hold the layers of these rows, so that they are good after a power cut too."""
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            sync_file_system(descriptor)
        finally:
            os.close(descriptor)
        with self._lock, self._store() as store:
            store.execute("BEGIN IMMEDIATE")
            store.executemany("UPDATE steps SET synced = 1 WHERE key = ? AND boot = ?", [(k, self._boot) for k in keys])

    def unused(self, before: float, kept: Collection[str]) -> list[str]:
        """Names of layers that no build has used since, but for those whose keys are kept, and of those that no row
        speaks of. Nobody may build now."""
        if not self.folder.is_dir():
            return []
        with self._lock:
            rows = self._store().execute("SELECT key, layer, used FROM steps").fetchall()
        wanted = {layer for key, layer, used in rows if used >= before or key in kept}
        return [one.name for one in self.folder.iterdir() if one.name not in wanted]

    def free(self, name: str) -> None:
        """Delete a layer and the rows that speak of it. Images that were made of it keep their files."""
        with self._lock:
            self._store().execute("DELETE FROM steps WHERE layer = ?", (name,))
        delete_folder(self.folder / name)

    def forget_empty(self, before: float, kept: Collection[str]) -> None:
        """Delete the rows without a layer that no build has used since, but for those that are kept."""
        with self._lock:
            rows = self._store().execute("SELECT key, layer FROM steps WHERE used < ?", (before,)).fetchall()
            gone = [(key,) for key, layer in rows if (not layer or layer.startswith(_ALIAS)) and key not in kept]
            self._store().executemany("DELETE FROM steps WHERE key = ?", gone)

    def _store(self) -> sqlite3.Connection:
        if self._open is None or not self._file.exists():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                self._open = self._connected()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                self._file.unlink(missing_ok=True)  # it is damaged; all that is lost is time
                self._open = self._connected()
        return self._open

    def _connected(self) -> sqlite3.Connection:
        made = sqlite3.connect(self._file, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("PRAGMA synchronous = NORMAL")
        made.execute(_SCHEMA)
        return made
