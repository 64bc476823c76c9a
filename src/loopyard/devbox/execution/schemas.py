"""The wire's words for executions."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from loopyard.devbox.execution.standard_input import StdinSignal
from loopyard.devbox.execution.states import ExecutionStatus
from loopyard.kit.http.wire import Params, Text, View

MOST_COMMAND_BYTES = 120_000
"""The kernel takes no single argument longer than 128 KiB."""

MOST_STDIN_CHARACTERS = 1 << 20


def _fits(command: str) -> str:
    if len(command.encode()) > MOST_COMMAND_BYTES:
        raise ValueError(f"must have at most {MOST_COMMAND_BYTES} bytes; put longer text into a file")
    return command


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode") from None
    return text


Command = Annotated[Text, AfterValidator(_fits), Field(min_length=1, max_length=MOST_COMMAND_BYTES)]
"""Bash text, 120,000 bytes at most."""

ShellName = Annotated[Text, Field(min_length=1, max_length=1024)]
"""Any text: commands of the same name in a devbox run in the same shell, one after the other."""

CommandId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class ExecuteParams(Params):
    command: Command
    command_id: CommandId
    optimistic_timeout: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    shell_name: ShellName | None = None


class ExecuteSyncParams(Params):
    command: Command
    attach_stdin: bool | None = None
    shell_name: ShellName | None = None


class ExecuteAsyncParams(Params):
    command: Command
    attach_stdin: bool | None = None
    shell_name: ShellName | None = None


class WaitForExecutionParams(Params):
    statuses: Annotated[list[ExecutionStatus], Field(min_length=1)]
    timeout_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class KillParams(Params):
    kill_process_group: bool | None = None
    """True to kill the whole process group instead of the command's own process alone."""


class SendStdInParams(Params):
    signal: StdinSignal | None = None
    """Sent after the text: `EOF` closes standard input, `INTERRUPT` is what Ctrl-C is at a terminal."""
    text: Annotated[str, Field(max_length=MOST_STDIN_CHARACTERS), AfterValidator(_encodable)] | None = None


class SendStdInView(View):
    """DevboxSendStdInResult on the wire. `success` is false if the command had ended or did not read it."""

    devbox_id: str
    execution_id: str
    success: bool


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
