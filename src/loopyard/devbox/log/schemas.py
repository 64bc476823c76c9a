"""The wire's words for logs."""

from typing import Literal

from loopyard.kit.http.wire import View

LogSource = Literal["setup_commands", "entrypoint", "exec", "files", "stats", "kmsg"]
LogLevel = Literal["info", "warning", "error"]


class LogView(View):
    """The wire's Log. A command has an entry with `cmd` when it starts, one with `message` for each line of its output,
    dated like its start (`level` error for standard error), and one with `exit_code` when it has ended."""

    level: LogLevel
    source: LogSource
    timestamp_ms: int
    cmd: str | None = None
    cmd_id: str | None = None
    exit_code: int | None = None
    message: str | None = None
    shell_name: str | None = None


class LogsView(View):
    """DevboxLogsListView on the wire, oldest first."""

    logs: list[LogView]
