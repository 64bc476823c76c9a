"""Brings devboxes to rest: companions and suspend commands first, then the sandbox itself."""

import asyncio
import logging

from loopyard.devbox.execution.engine import ExecutionEngine, NewExecution
from loopyard.devbox.lifecycle.companions import Companions
from loopyard.devbox.lifecycle.progress import Progress
from loopyard.devbox.lifecycle.states import Status
from loopyard.devbox.log.events import Events
from loopyard.devbox.models import Devbox
from loopyard.kit.clock import now_ms
from loopyard.kit.errors import LoopyardError
from loopyard.kit.host.failpoint import failpoint
from loopyard.launch.parameters import DEFAULT_SUSPEND_DEADLINE_MS, LaunchParameters
from loopyard.runtime.protocol import CommandSpec, Runtime
from loopyard.runtime.retry import retry_while_stuck

log = logging.getLogger("loopyard.devbox")

_GRACE_SECONDS = 1.0
"""How much longer than its own time limit a suspend command is waited for."""


class Suspension:
    """Suspends devboxes whose status asks for it. All of it can be repeated after a crash."""

    def __init__(
        self,
        runtime: Runtime,
        executions: ExecutionEngine,
        events: Events,
        progress: Progress,
        companions: Companions,
    ) -> None:
        self._runtime = runtime
        self._executions = executions
        self._events = events
        self._progress = progress
        self._companions = companions

    async def carry_out(self, devbox: Devbox) -> None:
        """Suspend a devbox, unless it ends meanwhile.

        Raises:
            RuntimeFault: The host could not.
        """
        failpoint("devbox.suspending")
        await self._progress.unless_ended(devbox.id, self._companions.rest(devbox, _seconds_left(devbox)))
        await self._progress.unless_ended(devbox.id, _run_hooks(self._executions, devbox))
        failpoint("devbox.quiet")
        await retry_while_stuck(lambda: self._runtime.suspend(devbox.id))
        failpoint("devbox.asleep")
        await self._progress.advance(devbox.id, Status.SUSPENDED)
        failpoint("devbox.suspended")
        await self._companions.suspended(devbox)

    async def keep(self, devbox: Devbox, message: str) -> None:
        """Keep a devbox suspended, with its disk, whose sandbox could not be started again: the caller may try later.
        `message` says why."""
        await retry_while_stuck(lambda: self._runtime.suspend(devbox.id))
        said = f"The devbox could not be resumed; it is suspended, with its disk. {message}"
        self._events.note(devbox.id, "setup_commands", said, level="error")
        await self._progress.advance(devbox.id, Status.SUSPENDED, message=message)


async def _run_hooks(executions: ExecutionEngine, devbox: Devbox) -> None:
    """Run the suspend commands of a devbox that is suspending, one after the other, within their deadline. What fails
    is logged and stops nothing. Can be repeated after a crash: a command that was started is not run again, and the
    deadline stays the same."""
    hooks = LaunchParameters.model_validate(devbox.launch_parameters).suspend_hooks
    deadline = _deadline(devbox)
    for index, command in enumerate(hooks.suspend_commands or []):
        left = (deadline - now_ms()) / 1000
        if left <= 0:
            log.warning("devbox %s: no time is left for suspend command %d", devbox.id, index)
            return
        name = f"suspend.{devbox.starts}.{index}"
        spec = CommandSpec(id=name, argv=["/bin/bash", "-c", command], timeout_seconds=left)
        try:
            async with asyncio.timeout(left + _GRACE_SECONDS):
                execution = await executions.run(devbox.id, NewExecution(spec, command, purpose="suspend"))
        except TimeoutError:
            log.warning("devbox %s: suspend command %d took too long", devbox.id, index)
            return
        except LoopyardError as error:
            log.warning("devbox %s: suspend command %d could not be run: %s", devbox.id, index, error.message)
            return
        if execution.exit_status != 0:
            log.warning("devbox %s: suspend command %d exited with %s", devbox.id, index, execution.exit_status)


def _seconds_left(devbox: Devbox) -> float:
    """Seconds that a devbox which is suspending has to come to rest; 0 once they have passed."""
    return max(0.0, (_deadline(devbox) - now_ms()) / 1000)


def _deadline(devbox: Devbox) -> int:
    hooks = LaunchParameters.model_validate(devbox.launch_parameters).suspend_hooks
    allowed = DEFAULT_SUSPEND_DEADLINE_MS if hooks.suspend_deadline_ms is None else hooks.suspend_deadline_ms
    return _since(devbox) + allowed


def _since(devbox: Devbox) -> int:
    """When it began to suspend, in milliseconds since the epoch."""
    times = [one["transition_time_ms"] for one in devbox.state_transitions if one["status"] == Status.SUSPENDING]
    return times[-1] if times else now_ms()
