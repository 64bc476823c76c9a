"""Carries out what is decided about devboxes, one step after the other for each."""

import itertools
import logging

from loopyard.devbox.lifecycle.bring_up import BringUp
from loopyard.devbox.lifecycle.progress import Progress
from loopyard.devbox.lifecycle.setup import LaunchFailed, SetupFailed
from loopyard.devbox.lifecycle.states import COMING_UP, Status
from loopyard.devbox.lifecycle.suspension import Suspension
from loopyard.devbox.lifecycle.teardown import work_name
from loopyard.devbox.models import Devbox
from loopyard.kit.background.tasks import Tasks
from loopyard.kit.db.changes import Changes
from loopyard.runtime.errors import RuntimeFault

log = logging.getLogger("loopyard.devbox")


class Lifecycle:
    """The devboxes of this server that something is to be done with. All its methods open transactions of their own."""

    def __init__(
        self, changes: Changes, tasks: Tasks, progress: Progress, bring_up: BringUp, suspension: Suspension
    ) -> None:
        self._changes = changes
        self._tasks = tasks
        self._progress = progress
        self._bring_up = bring_up
        self._suspension = suspension
        self._numbers = itertools.count()
        self._at_work: set[str] = set()
        self._wanted: dict[str, Devbox | None] = {}

    def begin(self, devbox_id: str, made: Devbox | None = None) -> None:
        """Start to do what the devbox's status asks for: make it, suspend it, or resume it. `made` is its row as it was
        just stored, to save a look."""
        self._wanted[devbox_id] = made
        self._changes.publish(devbox_id)
        if devbox_id not in self._at_work:
            self._at_work.add(devbox_id)
            self._tasks.start(f"{work_name(devbox_id)}{next(self._numbers)}", self._work(devbox_id))

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
                untouched = made is not None and not devbox.has_agents and not devbox.has_broker
                await self._bring_up.carry_out(devbox, untouched=untouched)
            elif devbox.status == Status.SUSPENDING:
                await self._suspension.carry_out(devbox)
        except LaunchFailed as failure:
            in_setup = isinstance(failure, SetupFailed)
            await self._progress.fail(devbox_id, failure.reason, str(failure), in_setup=in_setup)
        except RuntimeFault as fault:
            await self._progress.fail(devbox_id, "health_check_failed", str(fault))
        except Exception:
            log.exception("devbox %s: the server failed at what it was to do", devbox_id)
            await self._progress.fail(devbox_id, "health_check_failed", "The server failed; its log says why.")
