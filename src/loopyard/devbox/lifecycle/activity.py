"""Keeps devboxes from idling while something of theirs is in use."""

import logging
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from loopyard.devbox.models import Devbox
from loopyard.devbox.repository import DevboxRepository
from loopyard.kit.background.periodic import Periodic
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import Database

log = logging.getLogger("loopyard.devbox")

FLUSH_SECONDS = 0.5
"""How late a use may be written down."""


class Activity:
    """Gathers uses of devboxes that have an idle policy, and writes them down together twice a second at most."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: Counter[str] = Counter()
        self._used: set[str] = set()
        self._writes = Periodic(
            "writing down which devboxes are in use", self._write, every=FLUSH_SECONDS, pause=FLUSH_SECONDS
        )

    def used(self, devbox: Devbox) -> None:
        """The devbox was used just now."""
        if devbox.idle_after_ms is not None:
            self._used.add(devbox.id)
            self._writes.wake()

    @contextmanager
    def using(self, devbox: Devbox) -> Generator[None]:
        """The devbox is in use, all the time until the block ends."""
        if devbox.idle_after_ms is None:
            yield
            return
        self._held[devbox.id] += 1
        self._writes.wake()
        try:
            yield
        finally:
            self._held[devbox.id] -= 1
            if not self._held[devbox.id]:
                del self._held[devbox.id]
            self._used.add(devbox.id)

    async def run(self) -> None:
        """Write down, for ever."""
        await self._writes.run()

    async def _write(self) -> bool:
        """Write down uses. False if nothing is in use any more."""
        if ids := self._used | self._held.keys():
            self._used = set()
            try:
                async with self._database.write() as session:
                    await DevboxRepository(session).touch_all(sorted(ids), now_ms())
            except Exception:
                self._used |= ids
                raise
        return bool(self._held or self._used)
