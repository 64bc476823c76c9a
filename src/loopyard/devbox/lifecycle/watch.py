"""Notices when a devbox that runs goes down by itself."""

from loopyard.devbox.execution.engine import ExecutionEngine
from loopyard.devbox.lifecycle.companions import Companions
from loopyard.devbox.lifecycle.initialize import entrypoint_id
from loopyard.devbox.lifecycle.progress import Progress
from loopyard.devbox.lifecycle.setup import is_out_of_memory
from loopyard.devbox.lifecycle.states import FailureReason
from loopyard.devbox.models import Devbox
from loopyard.kit.background.tasks import Tasks
from loopyard.kit.host.linux import KILLED
from loopyard.runtime.errors import SandboxNotFound
from loopyard.runtime.protocol import Runtime

OUT_OF_MEMORY = "It used all its memory."


class DevboxWatch:
    """Watch over each running devbox, from one start to the next end or suspension."""

    def __init__(
        self, runtime: Runtime, executions: ExecutionEngine, companions: Companions, progress: Progress, tasks: Tasks
    ) -> None:
        self._runtime = runtime
        self._executions = executions
        self._companions = companions
        self._progress = progress
        self._tasks = tasks

    def begin(self, devbox: Devbox) -> None:
        """Watch a devbox that runs, in the background, and have its companions run."""
        self._tasks.start(f"watch {devbox.id} {devbox.starts}", self._sandbox(devbox.id, devbox.starts))
        if devbox.entrypoint is not None:
            self._tasks.start(f"entrypoint {devbox.id} {devbox.starts}", self._entrypoint(devbox))
        self._companions.run(devbox)

    async def _sandbox(self, devbox_id: str, start: int) -> None:
        reason: FailureReason = "health_check_failed"
        try:
            status = await self._runtime.wait(devbox_id)
        except SandboxNotFound:
            message = "The host no longer has this devbox."
        else:
            message = "Its first process ended."
            if status.out_of_memory:
                reason, message = "out_of_memory", OUT_OF_MEMORY
        await self._progress.fail(devbox_id, reason, message, ran_since=start)

    async def _entrypoint(self, devbox: Devbox) -> None:
        execution = await self._executions.wait(devbox.id, entrypoint_id(devbox))
        if execution.exit_status == KILLED and await is_out_of_memory(self._runtime, devbox.id):
            message = "Its entrypoint used all its memory."
            await self._progress.fail(devbox.id, "out_of_memory", message, ran_since=devbox.starts)
        elif execution.lost:
            message = "The host lost its entrypoint."
            await self._progress.fail(devbox.id, "health_check_failed", message, ran_since=devbox.starts)
        else:
            await self._progress.exit(devbox.id, ran_since=devbox.starts)
