"""Sampler of the resource usage of running devboxes, for their logs."""

from collections.abc import Sequence

from loopyard.devbox.log.events import Events, oom_id, processes_id
from loopyard.devbox.log.repository import DevboxLogRepository
from loopyard.devbox.repository import DevboxRepository
from loopyard.devbox.usage.history import UsageHistory
from loopyard.kit.db.database import Database
from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.protocol import Runtime, SandboxUsage

INTERVAL_SECONDS = 60.0

OUT_OF_MEMORY = "Out of memory: the kernel killed a process of this devbox."
OUT_OF_PROCESSES = "Out of processes: the kernel refused this devbox one more than it may have."


class UsageSampler:
    """Sampler that records, once a minute, the usage of each running devbox, and whether its memory ran out."""

    def __init__(self, database: Database, runtime: Runtime, events: Events, history: UsageHistory) -> None:
        self._database = database
        self._runtime = runtime
        self._events = events
        self._history = history

    async def sample(self) -> None:
        """Record the usage of each running devbox once."""
        async with self._database.read() as session:
            running = await DevboxLogRepository(session).ids_running()
        usages: dict[str, SandboxUsage] = {}
        for devbox_id, start in running:
            try:
                usage = await self._runtime.usage(devbox_id)
                status = await self._runtime.status(devbox_id)
            except RuntimeFault:
                continue  # it has just ended
            self._events.note(devbox_id, "stats", in_words(usage))
            usages[devbox_id] = usage
            if status.out_of_memory:
                self._events.note(devbox_id, "kmsg", OUT_OF_MEMORY, level="error", once=oom_id(start))
            if status.out_of_processes:
                self._events.note(devbox_id, "kmsg", OUT_OF_PROCESSES, level="error", once=processes_id(start))
        await self._history.note(usages)

    async def reconcile(self) -> None:
        """At start: delete samples of devboxes that have ended."""
        await self._history.sweep(self._ended)

    async def _ended(self, ids: Sequence[str]) -> set[str]:
        async with self._database.read() as session:
            known, ended = (
                await DevboxRepository(session).known_ids(ids),
                await DevboxRepository(session).ended_ids(ids),
            )
        return {*ids} - known | ended


def in_words(usage: SandboxUsage) -> str:
    return (
        f"memory {usage.memory_bytes / 2**20:.1f} MiB, cpu {usage.cpu_seconds:.2f} s in all, "
        f"{usage.processes} processes"
    )
