"""The wire's words for executions."""

from typing import Annotated

from pydantic import Field, StringConstraints

from loopyard.devbox.execution.states import ExecutionStatus
from loopyard.kit.wire import Params, Text, View

Command = Annotated[Text, Field(min_length=1, max_length=120_000)]
"""A Bash command. The kernel takes no single argument longer than 128 KiB."""

CommandId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class ExecuteParams(Params):
    command: Command
    command_id: CommandId
    optimistic_timeout: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    shell_name: Text | None = None


class ExecuteSyncParams(Params):
    command: Command
    attach_stdin: bool | None = None
    shell_name: Text | None = None


class ExecuteAsyncParams(Params):
    command: Command
    attach_stdin: bool | None = None
    shell_name: Text | None = None


class WaitForExecutionParams(Params):
    statuses: Annotated[list[ExecutionStatus], Field(min_length=1)]
    timeout_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class ExecutionResultView(View):
    """DevboxExecutionDetailView on the wire: a command that has ended."""

    devbox_id: str
    exit_status: int
    stdout: str
    stderr: str
    shell_name: str | None = None


class ExecutionView(View):
    """DevboxAsyncExecutionDetailView on the wire. Output and exit status are null until the command has ended."""

    devbox_id: str
    execution_id: str
    status: ExecutionStatus
    exit_status: int | None = None
    shell_name: str | None = None
    stdout: str | None = None
    stdout_truncated: bool | None = None
    stderr: str | None = None
    stderr_truncated: bool | None = None


class ExecutionUpdateChunk(View):
    """A piece of output. `offset` is the byte at which the stream goes on after it: give it to resume."""

    output: str
    offset: int | None = None
