"""Takes records, and writes them down in batches."""

import asyncio
import logging
from collections import deque
from pathlib import Path

from loopyard.audit import files
from loopyard.audit.config import AuditConfig
from loopyard.audit.record import Record
from loopyard.kit.background.periodic import Periodic
from loopyard.kit.clock import now_ms

log = logging.getLogger("loopyard.audit")

FLUSH_SECONDS = 0.2
"""How long a record may wait in memory: what a crash of the process may lose."""

FOLDER = "audit"
_MOST_WAITING = 10_000
_MOST_STRANGERS = 600
"""How many refusals of unknown keys are noted in a minute; of the rest the number is."""
_MINUTE_MS = 60_000
PRUNE_SECONDS = 3600.0


class AuditLog:
    """The audit log of this server. A disk that takes nothing more stops no request: what does not fit into memory
    meanwhile is lost, and the server's log says so."""

    def __init__(self, data_dir: Path, config: AuditConfig) -> None:
        self.config = config
        self._folder = data_dir / FOLDER
        self._waiting: deque[Record] = deque(maxlen=_MOST_WAITING)
        self._writes = Periodic("writing the audit log", self.flush, every=None, at_once=False, gather=FLUSH_SECONDS)
        self._writing = asyncio.Lock()
        self._lost = 0
        self._minute = 0
        self._strangers = 0

    def note(self, record: Record) -> None:
        """Have a record written down within `FLUSH_SECONDS`."""
        if not self.config.enabled:
            return
        if record.status == 401 and record.key is None and self._is_flood():
            return
        if len(self._waiting) == _MOST_WAITING:
            self._lost += 1
        self._waiting.append(record)
        self._writes.wake()

    def _is_flood(self) -> bool:
        """Count a refusal of an unknown key; whether it is one too many."""
        minute = now_ms() // _MINUTE_MS
        if minute != self._minute:
            if (more := self._strangers - _MOST_STRANGERS) > 0:
                what = f"{more} more requests with unknown keys"
                self._waiting.append(Record(what, self._minute * _MINUTE_MS, "many", status=401))
            self._minute, self._strangers = minute, 0
        self._strangers += 1
        return self._strangers > _MOST_STRANGERS

    async def flush(self) -> None:
        """Have all that was noted until now on the disk."""
        async with self._writing:
            records = list(self._waiting)
            if not records:
                return
            self._waiting.clear()
            try:
                await asyncio.to_thread(files.append, self._folder, records)
            except OSError as error:
                log.error("the audit log cannot be written: %s", error)  # noqa: TRY400
                room = _MOST_WAITING - len(self._waiting)
                self._lost += max(len(records) - room, 0)
                self._waiting.extendleft(reversed(records[-room:] if room else []))
                return
            if self._lost:
                log.error("%d records of the audit log were lost", self._lost)
                self._lost = 0

    async def run(self) -> None:
        """Write what is noted, for ever."""
        await self._writes.run()

    async def prune(self) -> None:
        """Delete what is too old, or too much."""
        try:
            await asyncio.to_thread(files.prune, self._folder, self.config.keep_days, self.config.keep_bytes)
        except OSError as error:
            log.error("old days of the audit log cannot be deleted: %s", error)  # noqa: TRY400
