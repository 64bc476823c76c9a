"""Reads the audit log."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loopyard.audit.files import days


@dataclass(frozen=True, slots=True)
class Filters:
    """A filter of the log; None lets all pass. Times are texts as the log has them."""

    since: str | None = None
    until: str | None = None
    account: str | None = None
    key: str | None = None
    operation: str | None = None
    """A part of the operation's name."""
    resource: str | None = None
    """An id that is in the path, or of what was made."""
    outcome: str | None = None
    source: str | None = None

    def admit(self, record: dict[str, Any]) -> bool:
        time = str(record.get("time", ""))
        if (self.since is not None and time < self.since) or (self.until is not None and time >= self.until):
            return False
        for name in ("account", "key", "outcome", "source"):
            wanted = getattr(self, name)
            if wanted is not None and record.get(name) != wanted:
                return False
        if self.operation is not None and self.operation.lower() not in str(record.get("operation", "")).lower():
            return False
        if self.resource is None or record.get("made") == self.resource:
            return True
        return self.resource in str(record.get("path", "")).split("/")


def read(folder: Path, filters: Filters) -> Iterator[dict[str, Any]]:
    """The records that the filters admit, oldest first. A line that a crash has cut off is left out."""
    for day, path in days(folder):
        if filters.since is not None and day.isoformat() < filters.since[:10]:
            continue
        if filters.until is not None and day.isoformat() > filters.until[:10]:
            continue
        with path.open("rb") as lines:
            for line in lines:
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if isinstance(record, dict) and filters.admit(record):  # pyright: ignore[reportUnknownArgumentType]
                    yield record
