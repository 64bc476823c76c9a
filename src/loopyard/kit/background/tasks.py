"""Background work of the server, held so that it is neither collected nor lost at the end."""

import asyncio
import logging
from collections.abc import Coroutine
from contextvars import Context
from typing import Any

log = logging.getLogger("loopyard.tasks")


class Tasks:
    """The running background tasks, at most one by each name."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[None]] = {}
        self._closing = False

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` in the background, unless work of this name is running already (then it is dropped).

        An exception is logged; what it left undone is taken up by the reconciliation at the next start.
        """
        # One that is done may be there still: its callback is called a little later.
        if self._closing or ((running := self._running.get(name)) is not None and not running.done()):
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work, name=name, context=Context())
        self._running[name] = task
        task.add_done_callback(self._ended)

    def running(self, name: str) -> bool:
        return (task := self._running.get(name)) is not None and not task.done()

    async def settle(self, prefix: str, timeout: float | None) -> None:
        """Wait until the tasks whose names start with `prefix` have ended, or `timeout` seconds if that is given."""
        tasks = [task for name, task in self._running.items() if name.startswith(prefix)]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._running.get(task.get_name()) is task:
            del self._running[task.get_name()]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background task %s failed", task.get_name(), exc_info=error)

    async def close(self) -> None:
        """Cancel all, and wait until each has ended."""
        self._closing = True
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
