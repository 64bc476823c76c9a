"""Runs callers' commands and shows them."""

from collections.abc import AsyncIterator
from typing import cast

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox.execution.engine import ExecutionEngine, NewExecution
from loopyard.devbox.execution.models import Execution
from loopyard.devbox.execution.repository import ExecutionRepository
from loopyard.devbox.execution.schemas import ExecutionResultView, ExecutionView
from loopyard.devbox.execution.standard_input import StandardInput
from loopyard.devbox.execution.states import COMPLETED, ExecutionStatus
from loopyard.devbox.faults import faults_as_answers
from loopyard.devbox.service import DevboxService
from loopyard.kit.db.database import Database
from loopyard.kit.errors import NotFound
from loopyard.kit.host.linux import KILLED
from loopyard.kit.idempotency import RequestIdentity
from loopyard.runtime.errors import CommandNotFound
from loopyard.runtime.output import DEFAULT_LINES, MAX_BYTES, Chunk, Tail, follow, tail
from loopyard.runtime.protocol import CommandSpec, Runtime, Stream

SYNC_OUTPUT_BYTES = 10 * 1024**2
"""How much of each stream `execute_sync` answers with: the last 10 MiB."""


class ExecutionService:
    """The commands of callers. Its methods open transactions of their own, since a command outlasts a transaction."""

    def __init__(self, database: Database, runtime: Runtime, devboxes: DevboxService, engine: ExecutionEngine) -> None:
        self._database = database
        self._runtime = runtime
        self._devboxes = devboxes
        self._engine = engine
        self.standard_input = StandardInput(database, runtime, engine)

    async def start(
        self,
        account_id: str,
        devbox_id: str,
        execution_id: str,
        command: str,
        *,
        shell_name: str | None = None,
        attach_stdin: bool = False,
        request: RequestIdentity | None = None,
    ) -> None:
        """Start a command, or queue it in a named shell that is busy; do nothing if its id is used in this devbox
        already. With a `request` the id is the request's, else the caller's, and then it does not matter what command
        it was used for.

        Raises:
            RequestKeyReused: Another request had this one's key.
            NotFound: The account has no such devbox.
            Busy: The devbox is still being made.
            WrongState: The devbox has ended.
        """

        async def check(session: AsyncSession, fresh: bool) -> None:
            await self._devboxes.check(session, account_id, devbox_id, running=fresh)
            if not fresh and request is not None:
                request.check(await ExecutionRepository(session).request_digest(devbox_id, execution_id))

        spec = CommandSpec(id=execution_id, argv=["/bin/bash", "-c", command], attach_stdin=attach_stdin)
        new = NewExecution(spec, command, shell_name=shell_name, request=None if request is None else request.digest)
        await self._engine.start(devbox_id, new, account_id=account_id, check=check)

    async def kill(self, account_id: str, devbox_id: str, execution_id: str, *, group: bool) -> Execution:
        """End a command's process, or its whole process group. One that has ended stays as it is.

        Raises:
            NotFound: The account has no such devbox, or that no such execution.
        """
        await self.get(account_id, devbox_id, execution_id)
        return await self._engine.kill(devbox_id, execution_id, group=group)

    async def get(self, account_id: str, devbox_id: str, execution_id: str) -> Execution:
        """An execution as it is now.

        Raises:
            NotFound: The account has no such devbox, or that no such execution.
        """
        async with self._database.read() as session:
            await self._devboxes.check(session, account_id, devbox_id, running=False)
        execution = await self._engine.get(devbox_id, execution_id)
        if execution.purpose == "scoring":
            raise NotFound(f"Devbox {devbox_id} has no execution {execution_id}.", field="execution_id")
        return execution

    async def follow(
        self, devbox_id: str, execution_id: str, stream: Stream, offset: int, *, ping_seconds: float
    ) -> AsyncIterator[Chunk | None]:
        """A stream from byte `offset` to its end, as it is written, also of a command that is queued still. None says
        that nothing came for `ping_seconds`."""
        while not await self._engine.wait_begun(devbox_id, execution_id, ping_seconds):
            yield None
        try:
            chunks = follow(self._runtime, devbox_id, execution_id, stream, offset, ping_seconds=ping_seconds)
            async for chunk in chunks:
                yield chunk
        except CommandNotFound:
            return  # it never ran

    async def result(self, execution: Execution) -> ExecutionResultView:
        """A completed execution with all its output, up to `SYNC_OUTPUT_BYTES` of each stream."""
        with faults_as_answers():
            out, err = [await self._tail(execution, stream, None, SYNC_OUTPUT_BYTES) for stream in _STREAMS]
        return ExecutionResultView(
            devbox_id=execution.devbox_id,
            exit_status=execution.exit_status if execution.exit_status is not None else KILLED,
            stdout=_marked(out),
            stderr=_marked(err),
            shell_name=execution.shell_name,
        )

    async def view(self, execution: Execution, last_lines: int | None = None) -> ExecutionView:
        """An execution with the last lines of its output, once it has ended."""
        view = ExecutionView(
            devbox_id=execution.devbox_id,
            execution_id=execution.id,
            status=cast("ExecutionStatus", execution.status),
            exit_status=execution.exit_status,
            shell_name=execution.shell_name,
        )
        if execution.status != COMPLETED:
            return view
        lines = DEFAULT_LINES if last_lines is None else last_lines
        with faults_as_answers():
            out, err = [await self._tail(execution, stream, lines, MAX_BYTES) for stream in _STREAMS]
        view.stdout, view.stdout_truncated = out.text, out.truncated
        view.stderr, view.stderr_truncated = err.text, err.truncated
        return view

    async def _tail(self, execution: Execution, stream: Stream, lines: int | None, most_bytes: int) -> Tail:
        try:
            return await tail(self._runtime, execution.devbox_id, execution.id, stream, lines, most_bytes)
        except CommandNotFound:  # it was killed while it was queued, or could not be started
            return Tail("")


_STREAMS: tuple[Stream, Stream] = ("stdout", "stderr")


def _marked(end: Tail) -> str:
    """The text, saying so where it does not start at the beginning: the answer has no other place for that."""
    return f"[loopyard: only the last {SYNC_OUTPUT_BYTES} bytes are shown]\n{end.text}" if end.starts_late else end.text
