"""Brings devboxes up: new ones, and suspended ones that are resumed."""

from loopyard.devbox.lifecycle.initialize import Initializer
from loopyard.devbox.lifecycle.progress import Progress
from loopyard.devbox.lifecycle.sandbox import SandboxMaker
from loopyard.devbox.lifecycle.setup import LaunchFailed
from loopyard.devbox.lifecycle.states import Status
from loopyard.devbox.lifecycle.suspension import Suspension
from loopyard.devbox.lifecycle.watch import DevboxWatch
from loopyard.devbox.models import Devbox
from loopyard.devbox.mounts.agents import AgentMounts
from loopyard.kit.host.failpoint import failpoint


class BringUp:
    """Takes a devbox from its request to `running`: agents, sandbox, contents. All of it can be repeated after a
    crash."""

    def __init__(
        self,
        progress: Progress,
        agents: AgentMounts,
        sandboxes: SandboxMaker,
        initializer: Initializer,
        suspension: Suspension,
        watch: DevboxWatch,
    ) -> None:
        self._progress = progress
        self._agents = agents
        self._sandboxes = sandboxes
        self._initializer = initializer
        self._suspension = suspension
        self._watch = watch

    async def carry_out(self, devbox: Devbox, *, untouched: bool) -> None:
        """Bring a devbox up, unless it ends meanwhile. `untouched` says that its row is as it was stored first, as far
        as its status goes.

        Raises:
            LaunchFailed: It cannot be brought up.
        """

        async def initializing() -> bool:
            return await self._progress.advance(devbox.id, Status.INITIALIZING)

        if devbox.has_agents and devbox.status != Status.RESUMING:
            await self._progress.unless_ended(devbox.id, self._agents.prepare(devbox))
            if self._agents.layer_of(devbox.id) is None:
                return  # it has ended meanwhile
        try:
            await self._sandboxes.make(devbox)
        except LaunchFailed as failure:
            if devbox.status != Status.RESUMING:
                raise
            await self._suspension.keep(devbox, str(failure))
            return
        finally:
            self._agents.release(devbox.id)
        if more := self._initializer.has_more_to_do(devbox):
            await self._progress.unless_ended(devbox.id, self._initializer.initialize(devbox, initializing))
        if untouched and not more:
            runs = await self._progress.run(devbox)
        else:
            runs = await self._progress.advance(devbox.id, Status.INITIALIZING, Status.RUNNING)
        if runs:
            failpoint("devbox.running")
            self._watch.begin(devbox)
