"""Puts into devboxes what was asked for, each time they come up, before they count as running."""

import shlex
from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox import repository
from loopyard.devbox.execution.engine import ExecutionEngine, NewExecution
from loopyard.devbox.lifecycle.setup import LaunchFailed, LaunchSteps, Setup
from loopyard.devbox.lifecycle.states import Status
from loopyard.devbox.log.events import Events
from loopyard.devbox.models import Devbox
from loopyard.devbox.repository import DevboxRepository
from loopyard.kit.db.database import Database
from loopyard.kit.errors import LoopyardError
from loopyard.kit.host.failpoint import failpoint
from loopyard.launch.code_host import token_place
from loopyard.launch.image import ImageNotes
from loopyard.launch.mounts import CodeMountParameters, MountedObject
from loopyard.launch.parameters import LaunchParameters
from loopyard.runtime.grading import GradingIsolator
from loopyard.runtime.protocol import CommandSpec, Runtime
from loopyard.secret.held import HeldTokens

Initializing = Callable[[], Awaitable[bool]]
"""Writes down that a devbox is being initialized; false if it has ended meanwhile."""


class Initializer:
    """Initializes devboxes. All of it can be repeated after a crash."""

    def __init__(
        self,
        database: Database,
        runtime: Runtime,
        executions: ExecutionEngine,
        steps: LaunchSteps,
        tokens: HeldTokens,
        events: Events,
    ) -> None:
        self._database = database
        self._runtime = runtime
        self._executions = executions
        self._steps = steps
        self._tokens = tokens
        self._events = events

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
            user = ImageNotes.read(devbox.image).with_group(launch.user)
            await self._steps.set_up(devbox.id, user, setup)
            await self._steps.run_commands(devbox.id, commands, devbox.starts)
        if self._is_judged(devbox) and isinstance(self._runtime, GradingIsolator):
            await self._runtime.grading_isolation.take_baseline(devbox.id)  # what is done from here on is the agent's
        if devbox.entrypoint is not None:
            await self._enter(devbox, devbox.entrypoint)
            failpoint("devbox.entered")
        elif argv := ImageNotes.read(devbox.image).entrypoint:
            await self._enter_image(devbox, argv)

    async def _setup(self, devbox: Devbox) -> Setup:
        async with self._database.read() as session:
            contents = await DevboxRepository(session).contents(devbox.id)
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
