"""The files of the audit log: one for each day in UTC, lines of JSON, only ever appended to."""

import os
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from loopyard.audit.record import Record

_SUFFIX = ".jsonl"


def append(folder: Path, records: Iterable[Record]) -> None:
    """Write records down, each in the file of its day, and have them on the disk when this returns.

    Raises:
        OSError: They could not be written.
    """
    lines: dict[date, list[bytes]] = {}
    for record in records:
        lines.setdefault(datetime.fromtimestamp(record.at_ms / 1000, UTC).date(), []).append(record.line())
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for day, of_day in lines.items():
        path = folder / f"{day.isoformat()}{_SUFFIX}"
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            left = memoryview(b"".join((_mending(descriptor), *of_day)))
            while left:
                left = left[os.write(descriptor, left) :]
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)


def _mending(descriptor: int) -> bytes:
    """A line end for a file whose last line a crash has cut off; empty for others."""
    size = os.fstat(descriptor).st_size
    return b"\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else b""


def days(folder: Path) -> list[tuple[date, Path]]:
    """The days that there are files of, oldest first."""
    found: list[tuple[date, Path]] = []
    for path in folder.glob(f"*{_SUFFIX}"):
        try:
            found.append((date.fromisoformat(path.name.removesuffix(_SUFFIX)), path))
        except ValueError:
            continue
    return sorted(found)


def prune(folder: Path, keep_days: int, keep_bytes: int) -> None:
    """Delete the days that are too old, and the oldest ones while all have too many bytes; never the newest one."""
    oldest = datetime.now(UTC).date() - timedelta(days=keep_days)
    there = [(day, path, path.stat().st_size) for day, path in days(folder)]
    total = sum(size for _, _, size in there)
    for day, path, size in there[:-1]:
        if day < oldest or total > keep_bytes:
            path.unlink(missing_ok=True)
            total -= size
