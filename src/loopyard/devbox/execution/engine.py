"""Starts commands, follows them to their end, and takes them up again after a crash."""

import logging
from dataclasses import asdict, dataclass
from typing import Any

from loopyard.devbox.execution import repository
from loopyard.devbox.execution.models import Execution
from loopyard.devbox.execution.states import COMPLETED, RUNNING, Purpose
from loopyard.devbox.faults import faults_as_answers
from loopyard.kit.changes import Changes
from loopyard.kit.clock import now_ms
from loopyard.kit.db import Database
from loopyard.kit.errors import NotFound
from loopyard.kit.failpoint import failpoint
from loopyard.kit.tasks import Tasks
from loopyard.runtime.errors import RuntimeFault, SandboxNotFound
from loopyard.runtime.protocol import CommandResult, CommandSpec, Runtime, User

log = logging.getLogger("loopyard.execution")

LOST = CommandResult(exit_status=137, lost=True)


@dataclass(frozen=True, slots=True)
class NewExecution:
    """A command to be run. `command` is what its author wrote, `spec` what the runtime makes of it."""

    spec: CommandSpec
    command: str
    purpose: Purpose = "exec"
    shell_name: str | None = None


def change_key(devbox_id: str, execution_id: str) -> str:
    return f"{devbox_id}/{execution_id}"


class ExecutionEngine:
    """The executions of this server."""

    def __init__(self, database: Database, runtime: Runtime, changes: Changes, tasks: Tasks) -> None:
        self._database = database
        self._runtime = runtime
        self._changes = changes
        self._tasks = tasks

    async def start(self, devbox_id: str, new: NewExecution) -> None:
        """Write the execution down, then start it; do nothing if its id is used in this devbox already.

        Opens a transaction of its own, so call it outside of any.

        Raises:
            WrongState: The devbox does not run any more.
            Unavailable: The host could not start the command.
        """
        async with self._database.write() as session:
            fresh = await repository.insert(session, _row(devbox_id, new))
        if not fresh:
            return
        failpoint("execution.recorded")
        with faults_as_answers():
            try:
                await self._runtime.start_command(devbox_id, new.spec)
            except RuntimeFault:
                await self._finish(devbox_id, new.spec.id, LOST)
                raise
        failpoint("execution.started")
        self._follow(devbox_id, new.spec.id)

    async def wait(self, devbox_id: str, execution_id: str, timeout: float | None = None) -> Execution:
        """Wait until the execution is completed.

        Raises:
            WaitTimeout: `timeout` seconds have passed and it has not.
            NotFound: There is no such execution.
        """
        return await self._changes.wait_until(
            change_key(devbox_id, execution_id),
            lambda: self.get(devbox_id, execution_id),
            lambda execution: execution.status == COMPLETED,
            timeout,
        )

    async def get(self, devbox_id: str, execution_id: str) -> Execution:
        """The execution as it is now.

        Raises:
            NotFound: There is no such execution.
        """
        async with self._database.read() as session:
            execution = await repository.get(session, devbox_id, execution_id)
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

    async def reconcile(self) -> None:
        """Take up again every execution that the store has as unfinished: follow it if the runtime knows it, start it
        if the crash came between the decision and the act."""
        async with self._database.read() as session:
            unfinished = await repository.unfinished(session)
        for execution in unfinished:
            try:
                await self._runtime.start_command(execution.devbox_id, spec_of(execution))
            except SandboxNotFound:
                known = await self._runtime.commands(execution.devbox_id)
                if execution.id not in known:
                    await self._finish(execution.devbox_id, execution.id, LOST)
                    continue
            except RuntimeFault as fault:
                log.warning("execution %s in %s is lost: %s", execution.id, execution.devbox_id, fault)
                await self._finish(execution.devbox_id, execution.id, LOST)
                continue
            self._follow(execution.devbox_id, execution.id)

    def _follow(self, devbox_id: str, execution_id: str) -> None:
        self._tasks.start(f"execution {devbox_id}/{execution_id}", self._to_the_end(devbox_id, execution_id))

    async def _to_the_end(self, devbox_id: str, execution_id: str) -> None:
        try:
            result = await self._runtime.wait_command(devbox_id, execution_id)
        except RuntimeFault as fault:
            log.warning("execution %s in %s is lost: %s", execution_id, devbox_id, fault)
            result = LOST
        failpoint("execution.ended")
        await self._finish(devbox_id, execution_id, result)

    async def _finish(self, devbox_id: str, execution_id: str, result: CommandResult) -> None:
        async with self._database.write() as session:
            await repository.finish(session, devbox_id, execution_id, result)
        self._changes.publish(change_key(devbox_id, execution_id))


def _row(devbox_id: str, new: NewExecution) -> dict[str, Any]:
    spec = asdict(new.spec)
    del spec["id"]
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
    """What the runtime was asked to run."""
    fields = dict(execution.spec)
    user = fields.pop("user", None)
    return CommandSpec(id=execution.id, user=User(**user) if user else None, **fields)
