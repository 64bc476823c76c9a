"""Ends devboxes whose time has come."""

import logging

from loopyard.devbox.lifecycle.lifecycle import Lifecycle
from loopyard.devbox.lifecycle.shutdown import Endings
from loopyard.devbox.lifecycle.states import ShutdownReason, Status
from loopyard.devbox.lifecycle.transitions import suspend
from loopyard.devbox.repository import DevboxRepository
from loopyard.kit.clock import now_ms
from loopyard.kit.db.changes import Changes
from loopyard.kit.db.database import Database
from loopyard.launch.parameters import LaunchParameters

log = logging.getLogger("loopyard.reaper")

INTERVAL_SECONDS = 1.0


class Reaper:
    """Shuts down the devboxes whose keep-alive time has ended, shuts down or suspends those that nobody has used for
    too long, and suspends those whose eviction is due."""

    def __init__(self, database: Database, lifecycle: Lifecycle, endings: Endings, changes: Changes) -> None:
        self._database = database
        self._lifecycle = lifecycle
        self._endings = endings
        self._changes = changes

    async def sweep(self) -> None:
        """Look once."""
        async with self._database.read() as session:
            now = now_ms()
            expired = await DevboxRepository(session).ids_expired(now)
            idle = await DevboxRepository(session).ids_idle(now)
            evicted = await DevboxRepository(session).ids_to_evict(now)
        for devbox_id in expired:
            await self._end(devbox_id, "keep_alive_timeout")
        for devbox_id in idle:
            await self._end(devbox_id, "idle")
        for devbox_id in evicted:
            await self._evict(devbox_id)

    async def _end(self, devbox_id: str, reason: ShutdownReason) -> None:
        async with self._database.write() as session:
            devbox = await DevboxRepository(session).get_by_id_for_update(devbox_id)
            if devbox is None or devbox.status != Status.RUNNING:
                return
            policy = LaunchParameters.model_validate(devbox.launch_parameters).idle_policy
            if reason == "idle" and policy is not None and policy.on_idle == "suspend":
                log.info("suspending devbox %s: %s", devbox_id, reason)
                suspend(session, devbox, self._lifecycle.begin)
            else:
                log.info("shutting down devbox %s: %s", devbox_id, reason)
                await self._endings.shut_down(session, devbox, reason)
        self._changes.publish(devbox_id)

    async def _evict(self, devbox_id: str) -> None:
        async with self._database.write() as session:
            devbox = await DevboxRepository(session).get_by_id_for_update(devbox_id)
            if devbox is not None and devbox.status == Status.RUNNING:
                log.info("suspending devbox %s: eviction", devbox_id)
                suspend(session, devbox, self._lifecycle.begin)
        self._changes.publish(devbox_id)
