"""Makes the store and the host agree about devboxes, at the server's start."""

from loopyard.devbox.lifecycle.progress import Progress
from loopyard.devbox.lifecycle.states import PENDING, FailureReason, Status
from loopyard.devbox.lifecycle.teardown import Teardown
from loopyard.devbox.lifecycle.transitions import Begin
from loopyard.devbox.lifecycle.watch import OUT_OF_MEMORY, DevboxWatch
from loopyard.devbox.models import Devbox
from loopyard.devbox.repository import DevboxRepository
from loopyard.kit.db.database import Database
from loopyard.runtime.protocol import Runtime, SandboxState, SandboxStatus


class DevboxReconciler:
    """Compares the store's devboxes with the host's sandboxes."""

    def __init__(
        self,
        database: Database,
        runtime: Runtime,
        progress: Progress,
        teardown: Teardown,
        watch: DevboxWatch,
        begin: Begin,
    ) -> None:
        self._database = database
        self._runtime = runtime
        self._progress = progress
        self._teardown = teardown
        self._watch = watch
        self._begin = begin

    async def reconcile(self) -> None:
        """Make the store and the host agree.

        What was being done is done, those that ran are watched again or failed, those that ended are freed, and
        sandboxes that the store does not know are removed.
        """
        sandboxes = await self._runtime.sandboxes()
        async with self._database.read() as session:
            unfinished = await DevboxRepository(session).list_unfinished()
            ended = {
                *await DevboxRepository(session).ids_not_reclaimed(),
                *await DevboxRepository(session).ended_ids([*sandboxes]),
            }
            known = await DevboxRepository(session).known_ids([*sandboxes])
        for sandbox_id in sandboxes.keys() - known:
            self._teardown.begin_unknown(sandbox_id)
        for devbox_id in ended:
            self._teardown.begin(devbox_id)
        for devbox in unfinished:
            await self._take_up(devbox, sandboxes.get(devbox.id))

    async def _take_up(self, devbox: Devbox, sandbox: SandboxStatus | None) -> None:
        reason: FailureReason = "health_check_failed"
        if devbox.status == Status.SUSPENDED:
            if sandbox is None:
                await self._progress.fail(devbox.id, reason, "The host no longer has this devbox.")
        elif devbox.status in PENDING:
            self._begin(devbox.id)
        elif sandbox is not None and sandbox.state == SandboxState.RUNNING:
            self._watch.begin(devbox)
        elif sandbox is not None and sandbox.out_of_memory:
            await self._progress.fail(devbox.id, "out_of_memory", OUT_OF_MEMORY)
        else:
            await self._progress.fail(devbox.id, reason, "It went down while the server was away.")
