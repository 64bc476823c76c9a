"""Starts commands, follows them to their end, and takes them up again after a crash."""

import asyncio
import logging
import signal
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox.execution import repository, shell
from loopyard.devbox.execution.live import Key, Live
from loopyard.devbox.execution.models import REQUEST, Execution
from loopyard.devbox.execution.repository import ExecutionRepository
from loopyard.devbox.execution.states import COMPLETED, QUEUED, RUNNING, Purpose
from loopyard.devbox.faults import faults_as_answers
from loopyard.kit.background.tasks import Tasks
from loopyard.kit.clock import now_ms
from loopyard.kit.db.changes import Changes
from loopyard.kit.db.database import Database
from loopyard.kit.errors import NotFound, WaitTimeout
from loopyard.kit.host.failpoint import failpoint
from loopyard.kit.host.linux import KILLED
from loopyard.kit.http.in_flight import waiting
from loopyard.runtime.errors import CommandNotFound, RuntimeFault
from loopyard.runtime.protocol import CommandResult, CommandSpec, Runtime, User

log = logging.getLogger("loopyard.execution")

LOST = CommandResult(exit_status=KILLED, lost=True)
_KILLED = CommandResult(exit_status=KILLED)
_KILL_SECONDS = 5.0
"""How long `kill` waits for the end that it brings about."""

Check = Callable[[AsyncSession, bool], Awaitable[Any]]
"""Called in the transaction that records an execution, with whether it is new; what it raises undoes that."""


@dataclass(frozen=True, slots=True)
class NewExecution:
    """A command to be run. `command` is what its author wrote, `spec` what the runtime makes of it.

    With `shell_name`, `command` runs in that named shell, after all that was started in it before, and `spec.argv`
    does not matter. `request` is the digest of the request that it comes by, if that may be repeated.
    """

    spec: CommandSpec
    command: str
    purpose: Purpose = "exec"
    shell_name: str | None = None
    request: str | None = None


def change_key(devbox_id: str, execution_id: str) -> str:
    return f"{devbox_id}/{execution_id}"


class ExecutionEngine:
    """The executions of this server."""

    def __init__(self, database: Database, runtime: Runtime, changes: Changes, tasks: Tasks) -> None:
        self._database = database
        self._runtime = runtime
        self._changes = changes
        self._tasks = tasks
        self._live: dict[Key, Live] = {}
        self._shells: dict[tuple[str, str], deque[Live]] = {}
        """For each named shell with unfinished commands: these, in their order. The first is the one that runs."""

    async def start(
        self, devbox_id: str, new: NewExecution, *, account_id: str | None = None, check: Check | None = None
    ) -> None:
        """Write the execution down, then start it; do nothing if its id is used in this devbox already. In a named
        shell that is busy it is queued. With `account_id`, `check` is asked only if that account has no such devbox
        that runs, or the id is used.

        Opens a transaction of its own, so call it outside of any.

        Raises:
            WrongState: The devbox does not run any more.
            Unavailable: The host could not start the command.
        """
        values = _row(devbox_id, new)
        if not await self._record(values, new.shell_name, account_id, check):
            return
        live = self._look_after(Execution(**values))
        self._changes.publish(change_key(*live.key))
        failpoint("execution.recorded")
        if new.shell_name is not None:
            self._line_up(live, new.shell_name)
            return
        self._launch(live)
        await live.begun.wait()
        if live.fault is not None:
            with faults_as_answers():
                raise live.fault

    async def _record(
        self, values: dict[str, Any], shell_name: str | None, account_id: str | None, check: Check | None
    ) -> bool:
        """Write an execution down, and in `values` what becomes of it in its shell; false if its id is used."""
        if shell_name is None:
            if check is None:
                return await repository.insert_at_once(self._database, values)
            if account_id is not None and await repository.insert_if_running(self._database, account_id, values):
                return True
        devbox_id = values["devbox_id"]
        async with self._database.write() as session:
            if shell_name is not None:
                values["shell_position"] = await ExecutionRepository(session).last_in_shell(devbox_id, shell_name) + 1
                values["status"] = QUEUED if (devbox_id, shell_name) in self._shells else RUNNING
            fresh = await ExecutionRepository(session).create_if_new(values)
            if check is not None:
                await check(session, fresh)
        return fresh

    async def wait(self, devbox_id: str, execution_id: str, timeout: float | None = None) -> Execution:
        """Wait until the execution is completed.

        Raises:
            WaitTimeout: `timeout` seconds have passed and it has not.
            NotFound: There is no such execution.
        """
        live = self._live.get((devbox_id, execution_id))
        if live is None:
            return await self._changes.wait_until(
                change_key(devbox_id, execution_id),
                lambda: self.get(devbox_id, execution_id),
                lambda execution: execution.status == COMPLETED,
                timeout,
            )
        try:
            with waiting():
                async with asyncio.timeout(timeout):
                    await live.ended.wait()
        except TimeoutError:
            raise WaitTimeout("The time to wait has passed, and the command has not ended.") from None
        return live.row

    async def wait_begun(self, devbox_id: str, execution_id: str, timeout: float) -> bool:
        """Wait until the runtime knows the command; false if it waits in its shell still after `timeout` seconds. One
        that ends without ever running counts as begun."""
        live = self._live.get((devbox_id, execution_id))
        if live is None:
            return True
        try:
            async with asyncio.timeout(timeout):
                await live.begun.wait()
        except TimeoutError:
            return False
        return True

    async def get(self, devbox_id: str, execution_id: str) -> Execution:
        """The execution as it is now.

        Raises:
            NotFound: There is no such execution.
        """
        if (live := self._live.get((devbox_id, execution_id))) is not None:
            return live.row
        async with self._database.read() as session:
            execution = await ExecutionRepository(session).get_in_devbox(devbox_id, execution_id)
        if execution is None:
            raise NotFound(f"Devbox {devbox_id} has no execution {execution_id}.", field="execution_id")
        return execution

    async def run(self, devbox_id: str, new: NewExecution) -> Execution:
        """Start an execution, or take up the one of the same id, and wait for its end.

        Raises:
            WrongState: The devbox does not run any more.
            Unavailable: The host could not start the command.
        """
        await self.start(devbox_id, new)
        return await self.wait(devbox_id, new.spec.id)

    async def kill(self, devbox_id: str, execution_id: str, *, group: bool) -> Execution:
        """End the execution: its process by SIGKILL, or its whole process group; one that is queued never runs.

        Returns:
            The execution, completed unless it takes longer than a few seconds to die.

        Raises:
            NotFound: There is no such execution.
        """
        live = self._live.get((devbox_id, execution_id))
        if live is None or await self._take_out(live):
            return await self.get(devbox_id, execution_id)
        await live.begun.wait()
        with faults_as_answers():
            await self._runtime.signal_command(devbox_id, execution_id, signal.SIGKILL, group=group)
        try:
            return await self.wait(devbox_id, execution_id, _KILL_SECONDS)
        except WaitTimeout:
            return live.row

    async def reconcile(self) -> None:
        """Take up again every execution that the store has as unfinished: follow it if the runtime knows it, start it
        if the crash came between the decision and the act, and let those that are queued wait for their turn."""
        async with self._database.read() as session:
            unfinished = await ExecutionRepository(session).list_unfinished()
        begun: list[Live] = []
        for execution in unfinished:
            live = self._look_after(execution)
            if execution.shell_name is not None:
                self._line_up(live, execution.shell_name)
            else:
                self._launch(live)
                begun.append(live)
        for live in begun:
            await live.begun.wait()

    def _look_after(self, row: Execution) -> Live:
        live = Live(row)
        self._live[live.key] = live
        return live

    def _launch(self, live: Live) -> None:
        # A task of its own: the command is followed to its end even if whoever asked for it goes away.
        self._tasks.start(f"execution {change_key(*live.key)}", self._run(live))

    def _line_up(self, live: Live, shell_name: str) -> None:
        key = (live.row.devbox_id, shell_name)
        if key in self._shells:
            self._shells[key].append(live)
            return
        self._shells[key] = deque([live])
        self._tasks.start(f"shell at {change_key(*live.key)}", self._serve(key))

    async def _serve(self, key: tuple[str, str]) -> None:
        """Run the commands of a named shell one after the other, until there is none left."""
        line = self._shells[key]
        while line:
            try:
                await self._take_turn(line[0])
            except Exception:
                log.exception("execution %s could not be followed", line[0].row.id)
            line.popleft()
        del self._shells[key]

    async def _take_turn(self, live: Live) -> None:
        if live.row.status == QUEUED:
            async with self._database.write() as session:
                if not await ExecutionRepository(session).begin(*live.key):
                    return  # it was killed while it waited
            live.row.status = RUNNING
            live.row.start_time_ms = now_ms()
            self._changes.publish(change_key(*live.key))
            failpoint("execution.dequeued")
        if live.row.status == RUNNING:
            await self._run(live)

    async def _take_out(self, live: Live) -> bool:
        """Complete an execution that is queued still; false if it is not."""
        if live.row.status != QUEUED:
            return False
        if not await repository.finish(self._database, *live.key, _KILLED, only=QUEUED):
            return False
        live.end(_KILLED)
        self._live.pop(live.key, None)
        self._changes.publish(change_key(*live.key))
        return True

    async def _run(self, live: Live) -> None:
        try:
            await self._runtime.start_command(live.row.devbox_id, spec_of(live.row))
        except (RuntimeFault, OSError) as error:
            fault = error if isinstance(error, RuntimeFault) else RuntimeFault(f"The host is out of order: {error}")
            if not await self._known(live):
                log.warning("execution %s in %s is lost: %s", live.row.id, live.row.devbox_id, fault)
                live.fault = fault
                await self._finish(live, LOST)
                return
        failpoint("execution.started")
        live.begun.set()
        try:
            result = await self._runtime.wait_command(*live.key)
        except RuntimeFault as fault:
            log.warning("execution %s in %s is lost: %s", live.row.id, live.row.devbox_id, fault)
            result = LOST
        failpoint("execution.ended")
        await self._finish(live, result)

    async def _known(self, live: Live) -> bool:
        """True if the runtime knows the command, though its sandbox may be gone."""
        try:
            await self._runtime.output_size(*live.key, "stdout")
        except CommandNotFound:
            return False
        return True

    async def _finish(self, live: Live, result: CommandResult) -> None:
        # The runtime keeps the result, so those who wait may have it before the store does: after a crash here the
        # next start finds it there again.
        live.end(result)
        self._changes.publish(change_key(*live.key))
        await repository.finish(self._database, *live.key, result)
        self._live.pop(live.key, None)


def _row(devbox_id: str, new: NewExecution) -> dict[str, Any]:
    spec = asdict(new.spec)
    del spec["id"]
    if new.shell_name is not None:
        del spec["argv"]
    if new.request is not None:
        spec[REQUEST] = new.request
    return {
        "devbox_id": devbox_id,
        "id": new.spec.id,
        "purpose": new.purpose,
        "command": new.command,
        "spec": spec,
        "shell_name": new.shell_name,
        "status": RUNNING,
        "timed_out": False,
        "lost": False,
        "start_time_ms": now_ms(),
    }


def spec_of(execution: Execution) -> CommandSpec:
    """Command that the runtime is asked to run."""
    fields = dict(execution.spec)
    fields.pop(REQUEST, None)
    user = fields.pop("user", None)
    if execution.shell_name is not None:
        fields["argv"] = shell.argv(execution.devbox_id, execution.shell_name, execution.command)
    return CommandSpec(id=execution.id, user=User(**user) if user else None, **fields)
