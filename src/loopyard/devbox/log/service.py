"""Puts the log of a devbox together."""

from loopyard.devbox.execution.models import Execution
from loopyard.devbox.execution.states import COMPLETED
from loopyard.devbox.lifecycle.states import Status
from loopyard.devbox.log.events import oom_id, processes_id
from loopyard.devbox.log.models import DevboxEvent
from loopyard.devbox.log.repository import DevboxLogRepository
from loopyard.devbox.log.sampler import OUT_OF_MEMORY, OUT_OF_PROCESSES, in_words
from loopyard.devbox.log.schemas import LogLevel, LogSource, LogView
from loopyard.devbox.models import Devbox
from loopyard.devbox.service import DevboxService
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import Database
from loopyard.kit.host.exhaustion import reason
from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.output import tail
from loopyard.runtime.protocol import Runtime, Stream

MOST_COMMANDS = 1000
MOST_EVENTS = 1000
MOST_OUTPUT_BYTES = 1024**2
"""How much output of all commands together a log holds: the newest MiB. The whole of it can be read as streams."""

_SOURCES: dict[str, LogSource] = {"exec": "exec", "entrypoint": "entrypoint"}


class LogService:
    """Logs are not stored: they are made of the executions, the files that these write, and the devbox's events."""

    def __init__(self, database: Database, runtime: Runtime, devboxes: DevboxService) -> None:
        self._database = database
        self._runtime = runtime
        self._devboxes = devboxes

    async def logs(
        self, account_id: str, devbox_id: str, *, execution_id: str | None = None, shell_name: str | None = None
    ) -> list[LogView]:
        """A devbox's log, oldest first; with a filter, only what the commands that match have to do with.

        Raises:
            NotFound: The account has no such devbox.
        """
        events: list[DevboxEvent] = []
        async with self._database.read() as session:
            devbox = await self._devboxes.get(session, account_id, devbox_id)
            log = DevboxLogRepository(session)
            executions = await log.list_newest_executions(
                devbox_id, MOST_COMMANDS, execution_id=execution_id, shell_name=shell_name
            )
            whole = execution_id is None and shell_name is None
            if whole:
                events = [*await log.list_newest_events(devbox_id, MOST_EVENTS)]
        room, groups = MOST_OUTPUT_BYTES, list[list[LogView]]()
        for execution in executions:
            entries, used = await self._entries(execution, room)
            groups.append(entries)
            room -= used
        entries = [entry for group in reversed(groups) for entry in group]
        entries += [_event(event) for event in reversed(events)]
        if whole:
            entries += await self._now(devbox, {event.id for event in events})
        return sorted(entries, key=lambda entry: entry.timestamp_ms)

    async def _entries(self, execution: Execution, room: int) -> tuple[list[LogView], int]:
        """The entries of a command, and how many bytes of output they hold."""
        source = _SOURCES.get(execution.purpose, "setup_commands")

        def entry(level: LogLevel, time_ms: int, **fields: str | int) -> LogView:
            return LogView.model_validate(
                {
                    "level": level,
                    "source": source,
                    "timestamp_ms": time_ms,
                    "cmd_id": execution.id,
                    "shell_name": execution.shell_name,
                    **fields,
                }
            )

        start = execution.start_time_ms
        entries, used = [entry("info", start, cmd=execution.command)], 0
        written = ""
        for stream, level in _STREAMS:
            text, size = await self._output(execution, stream, room - used)
            written += text
            entries += [entry(level, start, message=line) for line in text.splitlines()]
            used += size
        if execution.status == COMPLETED and execution.exit_status is not None:
            level = "info" if execution.exit_status == 0 else "error"
            end = execution.end_time_ms or start
            why: dict[str, str] = {}
            if execution.exit_status != 0 and (words := reason(written)) is not None:
                why = {"message": f"It failed: {words}."}
            why = {"message": "It took too long and was stopped."} if execution.timed_out else why
            why = {"message": "The devbox went down under it."} if execution.lost else why
            entries.append(entry(level, end, exit_code=execution.exit_status, **why))
        return entries, used

    async def _output(self, execution: Execution, stream: Stream, room: int) -> tuple[str, int]:
        if room <= 0:
            return "", 0
        try:
            end = await tail(self._runtime, execution.devbox_id, execution.id, stream, None, room)
        except RuntimeFault:
            return "", 0  # it never ran
        text = f"(what it wrote before is left out here)\n{end.text}" if end.starts_late else end.text
        return text, len(end.text.encode())

    async def _now(self, devbox: Devbox, known: set[str]) -> list[LogView]:
        """Current usage of a running devbox."""
        if devbox.status != Status.RUNNING:
            return []
        try:
            usage, status = await self._runtime.usage(devbox.id), await self._runtime.status(devbox.id)
        except RuntimeFault:
            return []
        time_ms = now_ms()
        found = [LogView(level="info", source="stats", timestamp_ms=time_ms, message=in_words(usage))]
        if status.out_of_memory and oom_id(devbox.starts) not in known:
            found.append(LogView(level="error", source="kmsg", timestamp_ms=time_ms, message=OUT_OF_MEMORY))
        if status.out_of_processes and processes_id(devbox.starts) not in known:
            found.append(LogView(level="error", source="kmsg", timestamp_ms=time_ms, message=OUT_OF_PROCESSES))
        return found


_STREAMS: tuple[tuple[Stream, LogLevel], ...] = (("stdout", "info"), ("stderr", "error"))


def _event(event: DevboxEvent) -> LogView:
    return LogView.model_validate(
        {"level": event.level, "source": event.source, "timestamp_ms": event.time_ms, "message": event.message}
    )
