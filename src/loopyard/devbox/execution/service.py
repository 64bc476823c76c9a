"""Runs callers' commands and shows them."""

from typing import Literal

from loopyard.devbox.execution.engine import ExecutionEngine, NewExecution
from loopyard.devbox.execution.models import Execution
from loopyard.devbox.execution.output import DEFAULT_LINES, tail
from loopyard.devbox.execution.schemas import ExecutionResultView, ExecutionView
from loopyard.devbox.execution.states import COMPLETED
from loopyard.devbox.faults import faults_as_answers
from loopyard.devbox.service import DevboxService
from loopyard.kit.db import Database
from loopyard.kit.errors import BadRequest, NotFound
from loopyard.runtime.protocol import CommandSpec, Runtime

SYNC_OUTPUT_BYTES = 10 * 1024**2
"""How much of each stream `execute_sync` answers with: the last 10 MiB."""


class ExecutionService:
    """The commands of callers. Its methods open transactions of their own, since a command outlasts a transaction."""

    def __init__(self, database: Database, runtime: Runtime, devboxes: DevboxService, engine: ExecutionEngine) -> None:
        self._database = database
        self._runtime = runtime
        self._devboxes = devboxes
        self._engine = engine

    async def start(
        self,
        account_id: str,
        devbox_id: str,
        execution_id: str,
        command: str,
        *,
        shell_name: str | None = None,
        attach_stdin: bool = False,
    ) -> None:
        """Start a command; do nothing if its id is used in this devbox already.

        Raises:
            NotFound: The account has no such devbox.
            Busy: The devbox is still being made.
            WrongState: The devbox has ended.
            BadRequest: A named shell is asked for.
        """
        if shell_name is not None:
            raise BadRequest("shell_name: this server does not offer named shells yet.", field="shell_name")
        async with self._database.read() as session:
            await self._devboxes.get_running(session, account_id, devbox_id)
        spec = CommandSpec(id=execution_id, argv=["/bin/bash", "-c", command], attach_stdin=attach_stdin)
        await self._engine.start(devbox_id, NewExecution(spec, command))

    async def get(self, account_id: str, devbox_id: str, execution_id: str) -> Execution:
        """An execution as it is now.

        Raises:
            NotFound: The account has no such devbox, or that no such execution.
        """
        async with self._database.read() as session:
            await self._devboxes.get(session, account_id, devbox_id)
        execution = await self._engine.get(devbox_id, execution_id)
        if execution.purpose == "scoring":
            raise NotFound(f"Devbox {devbox_id} has no execution {execution_id}.", field="execution_id")
        return execution

    async def result(self, execution: Execution) -> ExecutionResultView:
        """A completed execution with all its output, up to `SYNC_OUTPUT_BYTES` of each stream."""
        with faults_as_answers():
            out, err = [
                await tail(self._runtime, execution.devbox_id, execution.id, stream, None, SYNC_OUTPUT_BYTES)
                for stream in _STREAMS
            ]
        return ExecutionResultView(
            devbox_id=execution.devbox_id,
            exit_status=execution.exit_status if execution.exit_status is not None else 137,
            stdout=out.text,
            stderr=err.text,
            shell_name=execution.shell_name,
        )

    async def view(self, execution: Execution, last_lines: int | None = None) -> ExecutionView:
        """An execution with the last lines of its output, once it has ended."""
        view = ExecutionView(
            devbox_id=execution.devbox_id,
            execution_id=execution.id,
            status=COMPLETED if execution.status == COMPLETED else "running",
            exit_status=execution.exit_status,
            shell_name=execution.shell_name,
        )
        if execution.status != COMPLETED:
            return view
        lines = DEFAULT_LINES if last_lines is None else last_lines
        with faults_as_answers():
            out, err = [
                await tail(self._runtime, execution.devbox_id, execution.id, stream, lines) for stream in _STREAMS
            ]
        view.stdout, view.stdout_truncated = out.text, out.truncated
        view.stderr, view.stderr_truncated = err.text, err.truncated
        return view


_STREAMS: tuple[Literal["stdout"], Literal["stderr"]] = ("stdout", "stderr")
