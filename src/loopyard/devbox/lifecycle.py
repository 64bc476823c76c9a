"""Makes devboxes real, watches them, and frees them when they end."""

import asyncio
import logging
import os
from collections.abc import Coroutine, Mapping
from typing import Any

from loopyard.devbox import repository
from loopyard.devbox.endings import Endings
from loopyard.devbox.execution.engine import ExecutionEngine
from loopyard.devbox.launch import LaunchFailed, initialize, make_folder
from loopyard.devbox.launch_parameters import LaunchParameters
from loopyard.devbox.models import Devbox
from loopyard.devbox.states import FINAL, FailureReason, Status, can_become, move
from loopyard.kit.changes import Changes
from loopyard.kit.clock import now_ms
from loopyard.kit.db import Database
from loopyard.kit.failpoint import failpoint
from loopyard.kit.tasks import Tasks
from loopyard.network_policy.enforcement import Enforcement
from loopyard.runtime.errors import RuntimeFault, SandboxNotFound
from loopyard.runtime.protocol import NetworkPolicy, Runtime, SandboxSpec, SandboxState

log = logging.getLogger("loopyard.devbox")

CREATES_AT_ONCE = 4 * (os.cpu_count() or 1)
"""How many sandboxes are being made at the same time. More would only make each of them slower."""

SETTLE_SECONDS = 20.0

_FREEING = "free "


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
    ) -> None:
        self._database = database
        self._runtime = runtime
        self._executions = executions
        self._changes = changes
        self._tasks = tasks
        self._policies = policies
        self._slots = asyncio.Semaphore(CREATES_AT_ONCE)
        self.endings = Endings(self._ended)

    def begin(self, devbox_id: str) -> None:
        """Start to make a devbox that is written down as provisioning."""
        self._tasks.start(_making(devbox_id), self._make(devbox_id))

    def _ended(self, devbox_id: str) -> None:
        self._changes.publish(devbox_id)
        self._tasks.start(f"{_FREEING}{devbox_id}", self._free(devbox_id))

    async def settle(self) -> None:
        """Before the server ends: finish freeing what has ended. What takes too long is taken up at the next start."""
        await self._tasks.settle(_FREEING, SETTLE_SECONDS)

    async def _make(self, devbox_id: str) -> None:
        async with self._slots:
            devbox = await self._devbox(devbox_id)
            if devbox is not None and devbox.status not in FINAL:
                await self._bring_up(devbox)
        devbox = await self._devbox(devbox_id)
        if devbox is not None and devbox.status not in FINAL:
            self._tasks.start(f"watch {devbox_id}", self._watch(devbox_id))

    async def _bring_up(self, devbox: Devbox) -> None:
        launch = LaunchParameters.model_validate(devbox.launch_parameters)
        failpoint("devbox.provisioning")
        try:
            policy = await self._policies.current(launch.network_policy_id)
            await self._runtime.create(_sandbox(devbox, launch, policy))
            await self._policies.apply_to(devbox.id, launch.network_policy_id)
        except RuntimeFault as fault:
            log.warning("devbox %s could not be made: %s", devbox.id, fault)
            await self._fail(devbox.id, "health_check_failed", str(fault))
            return
        failpoint("devbox.created")
        async with self._database.read() as session:
            files = await repository.file_mounts(session, devbox.id)
        if files or launch.launch_commands or devbox.working_directory:
            if not await self._advance(devbox.id, Status.INITIALIZING):
                return
            failpoint("devbox.initializing")
            try:
                await self._unless_ended(devbox.id, self._initialize(devbox, launch, files))
            except LaunchFailed as failure:
                await self._fail(devbox.id, failure.reason, str(failure))
                return
        await self._advance(devbox.id, Status.INITIALIZING, Status.RUNNING)
        failpoint("devbox.running")

    async def _initialize(self, devbox: Devbox, launch: LaunchParameters, files: Mapping[str, str]) -> None:
        if devbox.working_directory is not None:
            await make_folder(self._runtime, self._executions, devbox.id, devbox.working_directory, launch.user)
        await initialize(self._runtime, self._executions, devbox.id, files, launch.launch_commands or [])

    async def _unless_ended(self, devbox_id: str, work: Coroutine[Any, Any, None]) -> None:
        """Do the work, but give it up as soon as the devbox is no longer wanted."""
        working = asyncio.ensure_future(work)
        ending = asyncio.ensure_future(
            self._changes.wait_until(devbox_id, lambda: self._devbox(devbox_id), _has_ended, None)
        )
        try:
            done, _ = await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            working.cancel()
            ending.cancel()
            await asyncio.wait({working, ending})

    async def _advance(self, devbox_id: str, *statuses: Status) -> bool:
        """Move on through the statuses that still lie ahead; false if the devbox has ended meanwhile."""
        async with self._database.write() as session:
            devbox = await repository.lock(session, devbox_id)
            if devbox is None or devbox.status in FINAL:
                return False
            for status in statuses:
                if can_become(devbox, status):
                    move(devbox, status)
            devbox.active_at_ms = now_ms()
        self._changes.publish(devbox_id)
        return True

    async def _watch(self, devbox_id: str) -> None:
        """Notice when the sandbox goes down by itself."""
        try:
            status = await self._runtime.wait(devbox_id)
        except SandboxNotFound:
            devbox = await self._devbox(devbox_id)
            if devbox is not None and devbox.status not in FINAL:
                await self._fail(devbox_id, "health_check_failed", "The host no longer has this devbox.")
            return
        reason: FailureReason = "out_of_memory" if status.out_of_memory else "health_check_failed"
        message = "It used all its memory." if status.out_of_memory else "Its first process ended."
        await self._fail(devbox_id, reason, message)

    async def _fail(self, devbox_id: str, reason: FailureReason, message: str) -> None:
        async with self._database.write() as session:
            devbox = await repository.lock(session, devbox_id)
            if devbox is not None and devbox.status not in FINAL:
                await self.endings.fail(session, devbox, reason, message)

    async def _free(self, devbox_id: str) -> None:
        # If it is still being made, its maker sees the end too, and stops.
        await self._tasks.settle(_making(devbox_id), None)
        failpoint("devbox.ended")
        await self._runtime.destroy(devbox_id)
        failpoint("devbox.destroyed")
        async with self._database.write() as session:
            await repository.mark_reclaimed(session, devbox_id)

    async def _devbox(self, devbox_id: str) -> Devbox | None:
        async with self._database.read() as session:
            return await repository.get(session, devbox_id)

    async def reconcile(self) -> None:
        """At start: make the store and the host agree.

        Devboxes that were being made are made, those that ran are watched again or failed, those that ended are
        freed, and sandboxes that the store does not know are removed.
        """
        async with self._database.read() as session:
            unfinished = await repository.unfinished(session)
            ended = await repository.ids_not_reclaimed(session)
        sandboxes = await self._runtime.sandboxes()
        async with self._database.read() as session:
            known = await repository.known_ids(session, list(sandboxes))
        for sandbox_id in sandboxes.keys() - known:
            log.warning("removing sandbox %s, which the store does not know", sandbox_id)
            await self._runtime.destroy(sandbox_id)
            await self._runtime.forget(sandbox_id)
        for devbox_id in ended:
            self._tasks.start(f"{_FREEING}{devbox_id}", self._free(devbox_id))
        for devbox in unfinished:
            if devbox.status != Status.RUNNING:
                self.begin(devbox.id)
                continue
            sandbox = sandboxes.get(devbox.id)
            if sandbox is not None and sandbox.state == SandboxState.RUNNING:
                self._tasks.start(f"watch {devbox.id}", self._watch(devbox.id))
            elif sandbox is not None and sandbox.out_of_memory:
                await self._fail(devbox.id, "out_of_memory", "It used all its memory.")
            else:
                await self._fail(devbox.id, "health_check_failed", "It went down while the server was away.")


def _has_ended(devbox: Devbox | None) -> bool:
    return devbox is None or devbox.status in FINAL


def _making(devbox_id: str) -> str:
    return f"make {devbox_id}"


def _sandbox(devbox: Devbox, launch: LaunchParameters, policy: NetworkPolicy | None) -> SandboxSpec:
    return SandboxSpec(
        id=devbox.id,
        limits=launch.limits,
        user=launch.user,
        environment=devbox.environment_variables,
        network_policy=policy,
    )
