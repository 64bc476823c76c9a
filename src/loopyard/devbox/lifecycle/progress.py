"""Writes down how far devboxes have come."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from loopyard.devbox import repository
from loopyard.devbox.lifecycle.companions import Companions
from loopyard.devbox.lifecycle.shutdown import Endings
from loopyard.devbox.lifecycle.states import FINAL, FailureReason, Status, can_become, move, transition
from loopyard.devbox.log.events import event, oom_id
from loopyard.devbox.log.repository import DevboxLogRepository
from loopyard.devbox.models import Devbox
from loopyard.devbox.repository import DevboxRepository
from loopyard.kit.clock import now_ms
from loopyard.kit.db.changes import Changes
from loopyard.kit.db.database import Database
from loopyard.launch.parameters import LaunchParameters
from loopyard.secret.repository import SecretRepository


class Progress:
    """Each method that writes is one transaction of its own, and tells those who wait for the devbox."""

    def __init__(self, database: Database, changes: Changes, endings: Endings, companions: Companions) -> None:
        self._database = database
        self._changes = changes
        self._endings = endings
        self._companions = companions

    async def read(self, devbox_id: str) -> Devbox | None:
        async with self._database.read() as session:
            return await DevboxRepository(session).get_by_id(devbox_id)

    async def unless_ended(self, devbox_id: str, work: Coroutine[Any, Any, None]) -> None:
        """Do the work, but give it up as soon as the devbox is no longer wanted."""
        working = asyncio.ensure_future(work)
        ending = asyncio.ensure_future(
            self._changes.wait_until(devbox_id, lambda: self.read(devbox_id), _has_ended, None)
        )
        try:
            done, _ = await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            working.cancel()
            ending.cancel()
            await asyncio.wait({working, ending})

    async def advance(self, devbox_id: str, *statuses: Status, message: str | None = None) -> bool:
        """Move on through the statuses that still lie ahead; false if the devbox has ended meanwhile. `message` says
        what went wrong on the way."""
        async with self._database.write() as session:
            devbox = await DevboxRepository(session).get_by_id_for_update(devbox_id)
            if devbox is None or devbox.status in FINAL:
                return False
            was = devbox.status
            for status in statuses:
                if can_become(devbox, status):
                    move(devbox, status, message=message)
            if devbox.status == Status.RUNNING:
                await self._begin_to_count(devbox, resumed=was == Status.RESUMING)
                if was != Status.PROVISIONING or devbox.has_agents:  # else nothing was put into it
                    await SecretRepository(session).delete_tokens(devbox_id)
            if devbox.status != was and devbox.status in (Status.RUNNING, Status.SUSPENDED):
                await self._companions.entered(session, devbox, was)
        self._changes.publish(devbox_id)
        return True

    async def run(self, made: Devbox) -> bool:
        """Have a devbox run that was just made, with nothing put into it; false if it has ended meanwhile. `made` is
        its row as it was stored."""
        now = now_ms()
        passed = [transition(status, now) for status in (Status.INITIALIZING, Status.RUNNING)]
        if not await repository.run_at_once(self._database, made.id, [*made.state_transitions, *passed], now):
            return await self.advance(made.id, Status.INITIALIZING, Status.RUNNING)
        self._changes.publish(made.id)
        return True

    async def _begin_to_count(self, devbox: Devbox, *, resumed: bool) -> None:
        devbox.active_at_ms = now_ms()
        keep_alive = LaunchParameters.model_validate(devbox.launch_parameters).keep_alive_seconds
        if resumed and keep_alive is not None:
            devbox.expires_at_ms = now_ms() + keep_alive * 1000

    async def fail(
        self,
        devbox_id: str,
        reason: FailureReason,
        message: str,
        *,
        ran_since: int | None = None,
        in_setup: bool = False,
    ) -> None:
        """End it as failed, unless it has ended. With `ran_since`, only if it still runs since that start. `in_setup`
        says that a mount or launch command failed."""
        async with self._database.write() as session:
            devbox = await DevboxRepository(session).get_by_id_for_update(devbox_id)
            if devbox is None or devbox.status in FINAL or not _is_due(devbox, ran_since):
                return
            if reason == "out_of_memory":
                await DevboxLogRepository(session).create_new(
                    [event(devbox_id, "kmsg", message, level="error", once=oom_id(devbox.starts))]
                )
            in_setup = in_setup and devbox.status != Status.RESUMING
            await self._endings.fail(session, devbox, reason, message, in_setup=in_setup)

    async def exit(self, devbox_id: str, *, ran_since: int) -> None:
        """Shut it down since its entrypoint has ended, if it still runs since that start."""
        async with self._database.write() as session:
            devbox = await DevboxRepository(session).get_by_id_for_update(devbox_id)
            if devbox is not None and _is_due(devbox, ran_since):
                await self._endings.shut_down(session, devbox, "entrypoint_exit")


def _is_due(devbox: Devbox, ran_since: int | None) -> bool:
    return ran_since is None or (devbox.status == Status.RUNNING and devbox.starts == ran_since)


def _has_ended(devbox: Devbox | None) -> bool:
    return devbox is None or devbox.status in FINAL
