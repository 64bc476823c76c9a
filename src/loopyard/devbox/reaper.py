"""Ends devboxes whose time has come."""

import asyncio
import logging

from loopyard.devbox import repository
from loopyard.devbox.endings import Endings
from loopyard.devbox.states import FINAL, ShutdownReason
from loopyard.kit.clock import now_ms
from loopyard.kit.db import Database

log = logging.getLogger("loopyard.reaper")

INTERVAL_SECONDS = 1.0


class Reaper:
    """Shuts down the devboxes whose keep-alive time has ended, or that nobody has used for too long."""

    def __init__(self, database: Database, endings: Endings) -> None:
        self._database = database
        self._endings = endings

    async def run(self) -> None:
        """Look once a second, for ever."""
        while True:
            try:
                await self.sweep()
            except Exception:
                log.exception("looking for expired devboxes failed; trying again")
            await asyncio.sleep(INTERVAL_SECONDS)

    async def sweep(self) -> None:
        """Look once."""
        async with self._database.read() as session:
            now = now_ms()
            expired = await repository.ids_expired(session, now)
            idle = await repository.ids_idle(session, now)
        for devbox_id in expired:
            await self._end(devbox_id, "keep_alive_timeout")
        for devbox_id in idle:
            await self._end(devbox_id, "idle")

    async def _end(self, devbox_id: str, reason: ShutdownReason) -> None:
        async with self._database.write() as session:
            devbox = await repository.lock(session, devbox_id)
            if devbox is not None and devbox.status not in FINAL:
                log.info("shutting down devbox %s: %s", devbox_id, reason)
                await self._endings.shut_down(session, devbox, reason)
