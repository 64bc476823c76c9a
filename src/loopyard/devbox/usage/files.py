"""Samples of devboxes in files of the data folder, so that they outlive the server: 32 bytes each, for a day."""

import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

KEPT_MS = 24 * 3600 * 1000
MOST_KEPT = 1440
"""Samples that are read of a file: those of a day, at one a minute."""

_RECORD = struct.Struct("<qdqq")
_MOST_BYTES = 2 * MOST_KEPT * _RECORD.size
"""Size at which a file is written anew with the newer half of its samples."""


@dataclass(frozen=True, slots=True)
class Sample:
    time_ms: int
    cpu_seconds: float
    memory_bytes: int
    processes: int


class SampleFiles:
    """A file for each devbox. Its methods block. A crash costs the sample that is being written at most."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def append(self, samples: Mapping[str, Sample]) -> None:
        """Add a sample to each devbox.

        Raises:
            OSError: The disk is full.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        for devbox_id, sample in samples.items():
            path = self._path(devbox_id)
            with path.open("ab") as file:
                size = file.tell()
                if torn := size % _RECORD.size:
                    file.truncate(size - torn)
                file.write(_RECORD.pack(*astuple(sample)))
            if size >= _MOST_BYTES:
                self._shorten(path)

    def read(self, devbox_id: str, now_ms: int) -> Sequence[Sample]:
        """Samples of the last day, oldest first."""
        try:
            with self._path(devbox_id).open("rb") as file:
                whole = os.fstat(file.fileno()).st_size // _RECORD.size
                file.seek(max(0, whole - MOST_KEPT) * _RECORD.size)
                data = file.read(MOST_KEPT * _RECORD.size)
        except FileNotFoundError:
            return []
        data = data[: len(data) // _RECORD.size * _RECORD.size]
        found: list[Sample] = []
        for record in _RECORD.iter_unpack(data):
            sample = Sample(*record)
            after = found[-1].time_ms if found else now_ms - KEPT_MS - 1
            if after < sample.time_ms <= now_ms:  # zeros, as a power cut leaves, are no samples
                found.append(sample)
        return found

    def names(self) -> list[str]:
        """Devboxes that have files, and whatever else a crash has left there."""
        return [path.name for path in self._folder.iterdir()] if self._folder.exists() else []

    def delete(self, devbox_id: str) -> None:
        """Delete the samples of a devbox, if there are any."""
        self._path(devbox_id).unlink(missing_ok=True)

    def _path(self, devbox_id: str) -> Path:
        return self._folder / devbox_id

    def _shorten(self, path: Path) -> None:
        new = path.with_suffix(".new")
        new.write_bytes(path.read_bytes()[-MOST_KEPT * _RECORD.size :])
        new.rename(path)
