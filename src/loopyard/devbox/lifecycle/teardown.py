"""Frees what devboxes that have ended hold on the host."""

import logging
from collections.abc import Awaitable, Callable

from loopyard.devbox.repository import DevboxRepository
from loopyard.kit.background.tasks import Tasks
from loopyard.kit.db.changes import Changes
from loopyard.kit.db.database import Database
from loopyard.kit.host.failpoint import failpoint
from loopyard.runtime.protocol import Runtime
from loopyard.runtime.retry import retry_while_stuck

log = logging.getLogger("loopyard.devbox")

SETTLE_SECONDS = 20.0

_FREEING = "free "

TeardownHook = Callable[[str], Awaitable[None]]
"""Called with the id of a devbox that has ended, before its disk is freed. Called again after a crash."""


def work_name(devbox_id: str) -> str:
    """The beginning of the names of tasks that work on a devbox, other than its teardown."""
    return f"work on {devbox_id} "


class Teardown:
    """Destroys sandboxes in the background."""

    def __init__(self, database: Database, runtime: Runtime, changes: Changes, tasks: Tasks) -> None:
        self._database = database
        self._runtime = runtime
        self._changes = changes
        self._tasks = tasks
        self._hooks: list[TeardownHook] = []

    def add_hook(self, hook: TeardownHook) -> None:
        """Have something done before the disks of devboxes that have ended are freed. If it fails, they are freed."""
        self._hooks.append(hook)

    def begin(self, devbox_id: str) -> None:
        """Free a devbox that has ended, once nothing else works on it, and tell those who wait for it."""
        self._changes.publish(devbox_id)
        self._tasks.start(f"{_FREEING}{devbox_id}", self._free(devbox_id))

    def begin_unknown(self, sandbox_id: str) -> None:
        """Remove a sandbox that no devbox has."""
        log.warning("removing sandbox %s, which the store does not know", sandbox_id)
        self._tasks.start(f"{_FREEING}{sandbox_id}", self._remove(sandbox_id))

    async def settle(self) -> None:
        """Before the server ends: finish freeing what has ended. What takes too long is taken up at the next start."""
        await self._tasks.settle(_FREEING, SETTLE_SECONDS)

    async def _free(self, devbox_id: str) -> None:
        # If something is being done with it still, that sees the end too, and stops.
        await self._tasks.settle(work_name(devbox_id), None)
        failpoint("devbox.ended")
        for hook in self._hooks:
            try:
                await hook(devbox_id)
            except Exception:
                log.exception("devbox %s: the server failed at what it was to do before freeing it", devbox_id)
        await retry_while_stuck(lambda: self._runtime.destroy(devbox_id))
        failpoint("devbox.destroyed")
        async with self._database.write() as session:
            await DevboxRepository(session).mark_reclaimed(devbox_id)

    async def _remove(self, sandbox_id: str) -> None:
        await retry_while_stuck(lambda: self._runtime.destroy(sandbox_id))
        await self._runtime.forget(sandbox_id)
