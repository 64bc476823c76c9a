"""Brings devboxes up: new ones, and suspended ones that are resumed."""

import asyncio
import logging
import os
import shlex
from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox import repository
from loopyard.devbox.execution.engine import ExecutionEngine, NewExecution
from loopyard.devbox.lifecycle.setup import LaunchFailed, LaunchSteps, Setup
from loopyard.devbox.lifecycle.states import Status
from loopyard.devbox.log.events import Events
from loopyard.devbox.models import Devbox
from loopyard.devbox.mounts.agents import AgentMounts
from loopyard.kit.db import Database
from loopyard.kit.errors import LoopyardError
from loopyard.kit.failpoint import failpoint
from loopyard.launch.code_host import token_place
from loopyard.launch.image import ImageNotes
from loopyard.launch.mounts import CodeMountParameters, MountedObject
from loopyard.launch.parameters import LaunchParameters
from loopyard.network_policy.enforcement import Enforcement
from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.grading import GradingIsolator
from loopyard.runtime.protocol import CommandSpec, Runtime, SandboxSpec, ServiceSpec
from loopyard.runtime.retry import create_with_retries
from loopyard.secret.held import HeldTokens
from loopyard.secret.service import SecretService
from loopyard.upstream_proxy.grants import Grants

log = logging.getLogger("loopyard.devbox")

CREATES_AT_ONCE = 4 * (os.cpu_count() or 1)
"""How many sandboxes are being made at the same time. More would only make each of them slower."""


Initializing = Callable[[], Awaitable[bool]]
"""Writes down that a devbox is being initialized; false if it has ended meanwhile."""


class DevboxStarter:
    """Makes sandboxes and puts into them what was asked for. All of it can be repeated after a crash."""

    def __init__(
        self,
        database: Database,
        runtime: Runtime,
        executions: ExecutionEngine,
        policies: Enforcement,
        launcher: LaunchSteps,
        secrets: SecretService,
        tokens: HeldTokens,
        events: Events,
        agents: AgentMounts,
        grants: Grants,
    ) -> None:
        self._database = database
        self._runtime = runtime
        self._executions = executions
        self._policies = policies
        self._launcher = launcher
        self._secrets = secrets
        self._tokens = tokens
        self._events = events
        self._agents = agents
        self._grants = grants
        self._slots = asyncio.Semaphore(CREATES_AT_ONCE)

    async def make(self, devbox: Devbox) -> None:
        """Make the devbox's sandbox, or start it again on its disk.

        Raises:
            LaunchFailed: The host could not.
        """
        failpoint("devbox.resuming" if devbox.status == Status.RESUMING else "devbox.provisioning")
        launch = LaunchParameters.model_validate(devbox.launch_parameters)
        secrets = await self._values(devbox)
        tokens = await self._grants.variables(devbox.id) if devbox.has_grants else {}
        try:
            async with self._slots:
                policy = await self._policies.current(launch.network_policy_id)
                spec = SandboxSpec(
                    id=devbox.id,
                    image=devbox.blueprint_id,
                    snapshot=self._agents.layer_of(devbox.id) or devbox.snapshot_id,
                    limits=launch.limits,
                    user=launch.user,
                    environment={**devbox.environment_variables, **secrets, **tokens},
                    network_policy=policy,
                    services=tuple(ServiceSpec(**service) for service in devbox.services or ()),
                )
                await create_with_retries(self._runtime, spec, what=f"making devbox {spec.id}")
            await self._policies.apply_to(devbox.id, launch.network_policy_id)
        except RuntimeFault as fault:
            log.warning("devbox %s could not be made: %s", devbox.id, fault)
            raise LaunchFailed("health_check_failed", str(fault)) from fault
        failpoint("devbox.created")

    async def _values(self, devbox: Devbox) -> dict[str, str]:
        """The secrets' values. A devbox that is resumed does without those that were deleted meanwhile; its disk is
        worth more."""
        try:
            values, missing = await self._secrets.values(devbox.account_id, devbox.secrets)
        except LoopyardError as error:
            raise LaunchFailed("health_check_failed", error.message) from error
        if not missing:
            return values
        message = f"There is no secret named {', '.join(missing)} any more."
        if devbox.status != Status.RESUMING:
            raise LaunchFailed("execution_failed", message)
        self._events.note(devbox.id, "setup_commands", message, level="warning")
        return values

    def has_more_to_do(self, devbox: Devbox) -> bool:
        """True if `initialize` may have anything to do, as far as can be told without a look into the store."""
        has_parts = devbox.status != Status.RESUMING and not repository.has_no_contents(devbox)
        commands = LaunchParameters.model_validate(devbox.launch_parameters).launch_commands
        entrypoint = devbox.entrypoint is not None or ImageNotes.read(devbox.image).entrypoint
        return bool(has_parts or commands or devbox.working_directory or entrypoint or self._is_judged(devbox))

    def _is_judged(self, devbox: Devbox) -> bool:
        return devbox.initiator_type == "scenario" and isinstance(self._runtime, GradingIsolator)

    async def initialize(self, devbox: Devbox, initializing: Initializing) -> None:
        """Put into the devbox what was asked for, run its launch commands, and start its entrypoint.

        Raises:
            LaunchFailed: Something of that failed.
        """
        launch = LaunchParameters.model_validate(devbox.launch_parameters)
        setup = Setup() if devbox.status == Status.RESUMING else await self._setup(devbox)
        commands = launch.launch_commands or []
        if setup != Setup() or commands:
            if not await initializing():
                return
            failpoint("devbox.initializing")
            await self._launcher.set_up(devbox.id, launch.user, setup)
            await self._launcher.run_commands(devbox.id, commands, devbox.starts)
        if self._is_judged(devbox) and isinstance(self._runtime, GradingIsolator):
            await self._runtime.grading_isolation.take_baseline(devbox.id)  # what is done from here on is the agent's
        if devbox.entrypoint is not None:
            await self._enter(devbox, devbox.entrypoint)
            failpoint("devbox.entered")
        elif argv := ImageNotes.read(devbox.image).entrypoint:
            await self._enter_image(devbox, argv)

    async def _setup(self, devbox: Devbox) -> Setup:
        async with self._database.read() as session:
            contents = await repository.contents(session, devbox.id)
            tokens = await self._opened_tokens(session, devbox.id) if contents.code_mounts else {}
        repositories = tuple(
            CodeMountParameters.model_validate(mount).model_copy(update={"token": tokens.get(token_place(index))})
            for index, mount in enumerate(contents.code_mounts)
        )
        objects = tuple(MountedObject(**mount) for mount in contents.object_mounts)
        return Setup(contents.file_mounts, repositories, objects, devbox.working_directory)

    async def _opened_tokens(self, session: AsyncSession, devbox_id: str) -> dict[str, str]:
        try:
            return await self._tokens.opened(session, devbox_id)
        except LoopyardError as error:
            raise LaunchFailed("health_check_failed", error.message) from error

    async def _enter_image(self, devbox: Devbox, argv: Sequence[str]) -> None:
        """Start the image's ENTRYPOINT. The devbox does not end with it, nor fail for it: nobody asked for that."""
        spec = CommandSpec(id=entrypoint_id(devbox), argv=argv)
        try:
            await self._executions.start(devbox.id, NewExecution(spec, shlex.join(argv), purpose="entrypoint"))
        except LoopyardError as error:
            message = f"The image's ENTRYPOINT could not be started: {error.message}"
            self._events.note(devbox.id, "setup_commands", message, level="warning")

    async def _enter(self, devbox: Devbox, entrypoint: str) -> None:
        spec = CommandSpec(id=entrypoint_id(devbox), argv=["/bin/bash", "-c", entrypoint])
        try:
            await self._executions.start(devbox.id, NewExecution(spec, entrypoint, purpose="entrypoint"))
        except LoopyardError as error:
            message = f"The entrypoint could not be started: {error.message}"
            raise LaunchFailed("health_check_failed", message) from error


def entrypoint_id(devbox: Devbox) -> str:
    """The id of the execution that is the devbox's entrypoint since it last came up."""
    return f"entrypoint.{devbox.starts}"
