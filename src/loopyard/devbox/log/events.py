"""Writes events of devboxes down."""

import logging
from typing import Any

from loopyard.devbox.log.repository import DevboxLogRepository
from loopyard.devbox.log.schemas import LogLevel, LogSource
from loopyard.kit.background.periodic import Periodic
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import Database
from loopyard.kit.ids import new_id

log = logging.getLogger("loopyard.devbox")

FLUSH_SECONDS = 0.5
"""How late an event may be written down; a crash loses those that are not."""

MOST_WAITING = 10_000
"""Beyond so many, further events are left out rather than held in memory."""


def event(
    devbox_id: str, source: LogSource, message: str, *, level: LogLevel = "info", once: str | None = None
) -> dict[str, Any]:
    """An event of this moment, as a row. `once` names what can happen to the devbox only once."""
    return {
        "devbox_id": devbox_id,
        "id": once or new_id("evt"),
        "time_ms": now_ms(),
        "source": source,
        "level": level,
        "message": message,
    }


def oom_id(start: int) -> str:
    """Id of the event that a devbox ran out of memory since one of its starts."""
    return f"oom.{start}"


def processes_id(start: int) -> str:
    """Id of the event that a devbox could start no more processes since one of its starts."""
    return f"pids.{start}"


class Events:
    """Gathers events and writes them down together, twice a second at most, so that nobody waits for it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[dict[str, Any]] = []
        self._writes = Periodic(
            "writing events of devboxes", self.flush, every=None, at_once=False, gather=FLUSH_SECONDS
        )

    def note(
        self, devbox_id: str, source: LogSource, message: str, *, level: LogLevel = "info", once: str | None = None
    ) -> None:
        """Something has happened. `once` names what can happen to the devbox only once: a repeat changes nothing."""
        if len(self._waiting) >= MOST_WAITING:
            return
        self._waiting.append(event(devbox_id, source, message, level=level, once=once))
        self._writes.wake()

    def refused(self, sandbox_id: str, message: str) -> None:
        """A network policy has refused something to a sandbox, which may be a devbox."""
        if sandbox_id.startswith("dbx_"):
            self.note(sandbox_id, "kmsg", message, level="warning")

    async def run(self) -> None:
        """Write down, for ever."""
        await self._writes.run()

    async def flush(self) -> None:
        """Write down what is waiting."""
        batch, self._waiting = self._waiting[:500], self._waiting[500:]
        try:
            async with self._database.write() as session:
                await DevboxLogRepository(session).create_new(batch)
        except Exception:
            log.exception("events of devboxes could not be written down; trying again")
            self._waiting = batch + self._waiting
        if self._waiting:
            self._writes.wake()
