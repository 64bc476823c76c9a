"""Carries out what is decided about devboxes: makes them, lays them to rest, resumes them, and frees them."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.agent.layer.layers import Layers
from loopyard.devbox import repository
from loopyard.devbox.create.quota import DevboxQuota
from loopyard.devbox.execution.engine import ExecutionEngine
from loopyard.devbox.lifecycle.bring_up import DevboxStarter
from loopyard.devbox.lifecycle.companions import Companions
from loopyard.devbox.lifecycle.progress import Progress
from loopyard.devbox.lifecycle.setup import LaunchFailed, LaunchSteps, SetupFailed
from loopyard.devbox.lifecycle.shutdown import Endings
from loopyard.devbox.lifecycle.states import COMING_UP, FINAL, PENDING, FailureReason, Status
from loopyard.devbox.lifecycle.suspend import resume
from loopyard.devbox.lifecycle.suspend_hooks import run_hooks, seconds_left
from loopyard.devbox.lifecycle.watch import OUT_OF_MEMORY, DevboxWatch
from loopyard.devbox.log.events import Events
from loopyard.devbox.models import Devbox
from loopyard.devbox.mounts.agents import AgentMounts
from loopyard.devbox.mounts.objects import ObjectMounts
from loopyard.kit.changes import Changes
from loopyard.kit.db import Database
from loopyard.kit.failpoint import failpoint
from loopyard.kit.tasks import Tasks
from loopyard.launch.code_host import CodeHost
from loopyard.launch.parameters import LaunchParameters
from loopyard.network_policy.enforcement import Enforcement
from loopyard.object.store import ObjectStore
from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.protocol import Runtime, SandboxState, SandboxStatus
from loopyard.runtime.retry import retry_while_stuck
from loopyard.secret.held import HeldTokens
from loopyard.secret.service import SecretService
from loopyard.upstream_proxy.grants import Grants

log = logging.getLogger("loopyard.devbox")

SETTLE_SECONDS = 20.0

_FREEING = "free "

Farewell = Callable[[str], Awaitable[None]]
"""Called with the id of a devbox that has ended, before its disk is freed. Called again after a crash."""


class Lifecycle:
    """The devboxes of this server. All its methods open transactions of their own."""

    def __init__(
        self,
        database: Database,
        runtime: Runtime,
        executions: ExecutionEngine,
        changes: Changes,
        tasks: Tasks,
        policies: Enforcement,
        code_host: CodeHost,
        events: Events,
        store: ObjectStore,
        secrets: SecretService,
        tokens: HeldTokens,
        layers: Layers,
        grants: Grants,
        quota: DevboxQuota,
    ) -> None:
        self._database = database
        self._runtime = runtime
        self._executions = executions
        self._changes = changes
        self._tasks = tasks
        self._quota = quota
        self._events = events
        self.endings = Endings(self._ended)
        self.companions = Companions()
        self._progress = Progress(database, changes, self.endings, self.companions)
        launcher = LaunchSteps(runtime, executions, code_host, events, ObjectMounts(runtime, executions, store))
        self._grants = grants
        self.endings.add_listener(self._end_grants)
        self._agents = agents = AgentMounts(database, runtime, layers, tokens, events)
        self._starting = DevboxStarter(
            database, runtime, executions, policies, launcher, secrets, tokens, events, agents, grants
        )
        self._watching = DevboxWatch(runtime, executions, launcher, self._progress, tasks)
        self._numbers = itertools.count()
        self._at_work: set[str] = set()
        self._wanted: dict[str, Devbox | None] = {}
        self._farewells: list[Farewell] = []

    def add_farewell(self, farewell: Farewell) -> None:
        """Have something done before the disks of devboxes that have ended are freed. If it fails, they are freed."""
        self._farewells.append(farewell)

    def begin(self, devbox_id: str, made: Devbox | None = None) -> None:
        """Start to do what the devbox's status asks for: make it, suspend it, or resume it. `made` is its row as it was
        just stored, to save a look."""
        self._wanted[devbox_id] = made
        self._changes.publish(devbox_id)
        if devbox_id not in self._at_work:
            self._at_work.add(devbox_id)
            self._tasks.start(f"{_work(devbox_id)}{next(self._numbers)}", self._work(devbox_id))

    async def wake(self, devbox: Devbox) -> None:
        """Resume a devbox if it is suspended.

        Raises:
            LimitReached: The account has as many running devboxes, or as large ones, as it may have.
        """
        async with self._database.write() as session:
            row = await repository.lock(session, devbox.id)
            if row is not None and row.status == Status.SUSPENDED:
                size = LaunchParameters.model_validate(row.launch_parameters).limits
                await self._quota.admit(session, row.account_id, size, sleeping=True)
                resume(session, row, self.begin)
        self._changes.publish(devbox.id)

    def _ended(self, devbox_id: str) -> None:
        self._changes.publish(devbox_id)
        self._tasks.start(f"{_FREEING}{devbox_id}", self._free(devbox_id))

    async def _end_grants(self, session: AsyncSession, devbox: Devbox) -> None:
        if devbox.has_grants:
            await self._grants.end(session, devbox.id)

    async def settle(self) -> None:
        """Before the server ends: finish freeing what has ended. What takes too long is taken up at the next start."""
        await self._tasks.settle(_FREEING, SETTLE_SECONDS)

    async def _work(self, devbox_id: str) -> None:
        try:
            while devbox_id in self._wanted:
                await self._step(devbox_id, self._wanted.pop(devbox_id))
        finally:
            self._at_work.discard(devbox_id)

    async def _step(self, devbox_id: str, made: Devbox | None) -> None:
        devbox = made or await self._progress.read(devbox_id)
        if devbox is None:
            return
        try:
            if devbox.status in COMING_UP:
                await self._bring_up(
                    devbox, untouched=made is not None and not devbox.has_agents and not devbox.has_broker
                )
            elif devbox.status == Status.SUSPENDING:
                await self._lay_to_rest(devbox)
        except LaunchFailed as failure:
            in_setup = isinstance(failure, SetupFailed)
            await self._progress.fail(devbox_id, failure.reason, str(failure), in_setup=in_setup)
        except RuntimeFault as fault:
            await self._progress.fail(devbox_id, "health_check_failed", str(fault))
        except Exception:
            log.exception("devbox %s: the server failed at what it was to do", devbox_id)
            await self._progress.fail(devbox_id, "health_check_failed", "The server failed; its log says why.")

    async def _bring_up(self, devbox: Devbox, *, untouched: bool) -> None:
        """`untouched` says that its row is as it was stored first, as far as its status goes."""

        async def initializing() -> bool:
            return await self._progress.advance(devbox.id, Status.INITIALIZING)

        if devbox.has_agents and devbox.status != Status.RESUMING:
            await self._unless_ended(devbox.id, self._agents.prepare(devbox))
            if self._agents.layer_of(devbox.id) is None:
                return  # it has ended meanwhile
        try:
            await self._starting.make(devbox)
        except LaunchFailed as failure:
            if devbox.status != Status.RESUMING:
                raise
            await self._stay_suspended(devbox, str(failure))
            return
        finally:
            self._agents.release(devbox.id)
        if more := self._starting.has_more_to_do(devbox):
            await self._unless_ended(devbox.id, self._starting.initialize(devbox, initializing))
        if untouched and not more:
            runs = await self._progress.run(devbox)
        else:
            runs = await self._progress.advance(devbox.id, Status.INITIALIZING, Status.RUNNING)
        if runs:
            failpoint("devbox.running")
            self._watching.watch(devbox)
            self.companions.run(devbox)

    async def _stay_suspended(self, devbox: Devbox, message: str) -> None:
        """Its sandbox could not be started again: keep its disk, and let the caller try later."""
        await retry_while_stuck(lambda: self._runtime.suspend(devbox.id))
        said = f"The devbox could not be resumed; it is suspended, with its disk. {message}"
        self._events.note(devbox.id, "setup_commands", said, level="error")
        await self._progress.advance(devbox.id, Status.SUSPENDED, message=message)

    async def _lay_to_rest(self, devbox: Devbox) -> None:
        failpoint("devbox.suspending")
        await self._unless_ended(devbox.id, self.companions.rest(devbox, seconds_left(devbox)))
        await self._unless_ended(devbox.id, run_hooks(self._executions, devbox))
        failpoint("devbox.quiet")
        await retry_while_stuck(lambda: self._runtime.suspend(devbox.id))
        failpoint("devbox.asleep")
        await self._progress.advance(devbox.id, Status.SUSPENDED)
        failpoint("devbox.suspended")
        await self.companions.suspended(devbox)

    async def _unless_ended(self, devbox_id: str, work: Coroutine[Any, Any, None]) -> None:
        """Do the work, but give it up as soon as the devbox is no longer wanted."""
        working = asyncio.ensure_future(work)
        ending = asyncio.ensure_future(
            self._changes.wait_until(devbox_id, lambda: self._progress.read(devbox_id), _has_ended, None)
        )
        try:
            done, _ = await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            working.cancel()
            ending.cancel()
            await asyncio.wait({working, ending})

    async def _free(self, devbox_id: str) -> None:
        # If something is being done with it still, that sees the end too, and stops.
        await self._tasks.settle(_work(devbox_id), None)
        failpoint("devbox.ended")
        for farewell in self._farewells:
            try:
                await farewell(devbox_id)
            except Exception:
                log.exception("devbox %s: the server failed at what it was to do before freeing it", devbox_id)
        await retry_while_stuck(lambda: self._runtime.destroy(devbox_id))
        failpoint("devbox.destroyed")
        async with self._database.write() as session:
            await repository.mark_reclaimed(session, devbox_id)

    async def _remove(self, sandbox_id: str) -> None:
        await retry_while_stuck(lambda: self._runtime.destroy(sandbox_id))
        await self._runtime.forget(sandbox_id)

    async def reconcile(self) -> None:
        """At start: make the store and the host agree.

        What was being done is done, those that ran are watched again or failed, those that ended are freed, and
        sandboxes that the store does not know are removed.
        """
        sandboxes = await self._runtime.sandboxes()
        async with self._database.read() as session:
            unfinished = await repository.unfinished(session)
            ended = {*await repository.ids_not_reclaimed(session), *await repository.ended_ids(session, [*sandboxes])}
            known = await repository.known_ids(session, [*sandboxes])
        for sandbox_id in sandboxes.keys() - known:
            log.warning("removing sandbox %s, which the store does not know", sandbox_id)
            self._tasks.start(f"{_FREEING}{sandbox_id}", self._remove(sandbox_id))
        for devbox_id in ended:
            self._tasks.start(f"{_FREEING}{devbox_id}", self._free(devbox_id))
        for devbox in unfinished:
            await self._take_up(devbox, sandboxes.get(devbox.id))

    async def _take_up(self, devbox: Devbox, sandbox: SandboxStatus | None) -> None:
        reason: FailureReason = "health_check_failed"
        if devbox.status == Status.SUSPENDED:
            if sandbox is None:
                await self._progress.fail(devbox.id, reason, "The host no longer has this devbox.")
        elif devbox.status in PENDING:
            self.begin(devbox.id)
        elif sandbox is not None and sandbox.state == SandboxState.RUNNING:
            self._watching.watch(devbox)
            self.companions.run(devbox)
        elif sandbox is not None and sandbox.out_of_memory:
            await self._progress.fail(devbox.id, "out_of_memory", OUT_OF_MEMORY)
        else:
            await self._progress.fail(devbox.id, reason, "It went down while the server was away.")


def _has_ended(devbox: Devbox | None) -> bool:
    return devbox is None or devbox.status in FINAL


def _work(devbox_id: str) -> str:
    return f"work on {devbox_id} "
