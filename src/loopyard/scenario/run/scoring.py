"""Scores runs in the background, and takes scoring up again after a crash."""

import logging
from contextlib import suppress
from dataclasses import asdict

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox.lifecycle.initialize import entrypoint_id
from loopyard.devbox.lifecycle.shutdown import Endings
from loopyard.devbox.lifecycle.states import FINAL as DEVBOX_FINAL
from loopyard.devbox.lifecycle.states import Status
from loopyard.devbox.models import Devbox
from loopyard.devbox.repository import DevboxRepository
from loopyard.devbox.status_wait import wait_for_status
from loopyard.kit.background.tasks import Tasks
from loopyard.kit.db.changes import Changes
from loopyard.kit.db.database import Database, after_commit
from loopyard.kit.errors import WaitTimeout
from loopyard.kit.host.failpoint import failpoint
from loopyard.launch.parameters import LaunchParameters
from loopyard.runtime.errors import ImageNotFound
from loopyard.runtime.folder_changes import FolderChanges
from loopyard.runtime.grading import isolation_of
from loopyard.runtime.images import NamesImages
from loopyard.runtime.protocol import Runtime
from loopyard.scenario.repository import ScenarioRepository
from loopyard.scenario.run import patches
from loopyard.scenario.run.models import ScenarioRun
from loopyard.scenario.run.patches import PatchRecorder
from loopyard.scenario.run.repository import ScenarioRunRepository
from loopyard.scenario.run.states import State
from loopyard.scorer import contract
from loopyard.scorer.engine import ScoringEngine
from loopyard.scorer.request import ScoringInterrupted, ScoringOutcome, ScoringRequest

log = logging.getLogger("loopyard.scenario.run")

_GRACE_SECONDS = 3.0


class ScoringService:
    """The scoring that goes on in this server. All its methods but `publish` open transactions of their own."""

    def __init__(
        self,
        database: Database,
        runtime: Runtime,
        engine: ScoringEngine,
        endings: Endings,
        changes: Changes,
        tasks: Tasks,
        recorder: PatchRecorder,
    ) -> None:
        self._database = database
        self._runtime = runtime
        self._engine = engine
        self._endings = endings
        self._changes = changes
        self._tasks = tasks
        self._recorder = recorder

    def begin(self, run_id: str) -> None:
        """Start to score a run that is written down as scoring."""
        self._tasks.start(f"score {run_id}", self._score(run_id))

    def publish(self, session: AsyncSession, run_id: str) -> None:
        """Wake those who wait for the run, once the transaction is committed."""
        after_commit(session, lambda: self._changes.publish(run_id))

    async def reconcile(self) -> None:
        """At start: take up every run that is written down as scoring."""
        if isolation_of(self._runtime) is None:
            log.warning("provider %s cannot isolate grading: scores hold only against fair agents", self._runtime.name)
        async with self._database.read() as session:
            runs = await ScenarioRunRepository(session).ids_scoring()
        for run_id in runs:
            self.begin(run_id)

    async def _score(self, run_id: str) -> None:
        async with self._database.read() as session:
            run = await ScenarioRunRepository(session).get_by_id(run_id)
        if run is None or run.state != State.SCORING or not await self._devbox_runs(run):
            return  # what ended the devbox has ended the run too
        try:
            async with self._database.read() as session:
                devbox = await DevboxRepository(session).get_by_id(run.devbox_id)
                request = await self._request(session, run, devbox)
            changes = await self._recorder.take(run, devbox)
            failpoint("run.compared")
            outcome = await self._engine.score(request)
        except ScoringInterrupted as interruption:
            await self._fail(run, str(interruption))
            return
        except Exception:
            log.exception("run %s: the server failed at scoring it", run_id)
            await self._fail(run, "The server failed; its log says why.")
            return
        failpoint("run.judged")
        await self._record(run, outcome, changes)
        failpoint("run.scored")

    async def _devbox_runs(self, run: ScenarioRun) -> bool:
        """Wait until the run's devbox can be used; false if it has ended instead."""
        statuses = {Status.RUNNING, *DEVBOX_FINAL}
        return await wait_for_status(self._database, self._changes, run.devbox_id, statuses, None) == Status.RUNNING

    async def _record(self, run: ScenarioRun, outcome: ScoringOutcome, changes: FolderChanges | None) -> None:
        """Write the result down, unless the run ended meanwhile. One whose time for scoring was over is over."""
        compressed = b"" if changes is None else await patches.compress(changes)
        async with self._database.write() as session:
            devbox = await DevboxRepository(session).get_by_id_for_update(run.devbox_id)
            locked = await ScenarioRunRepository(session).get_by_id_for_update(run.id)
            if locked is None or locked.state != State.SCORING:
                return
            locked.scoring_contract_result = outcome.result.model_dump(mode="json")
            report = outcome.restore_report
            locked.restore_report = None if report is None else asdict(report)
            if changes is not None:
                await patches.keep(session, run.id, changes, compressed)
            if outcome.out_of_time:
                locked.failure_reason = f"Scoring took longer than {locked.scorer_timeout_sec} seconds."
                locked.fault = "model"
                await ScenarioRunRepository(session).move(locked, State.TIMEOUT)
                if devbox is not None and devbox.status not in DEVBOX_FINAL:
                    await self._endings.shut_down(session, devbox, "api_shutdown")
            else:
                await ScenarioRunRepository(session).move(locked, State.SCORED)
            self.publish(session, run.id)

    async def _fail(self, run: ScenarioRun, reason: str) -> None:
        """End a run whose scoring the infrastructure broke, and its devbox. If that is what has ended the run already,
        it stays as it is."""
        log.warning("run %s could not be scored: %s", run.id, reason)
        with suppress(WaitTimeout):  # whoever watches the devbox knows better why it went down
            await wait_for_status(self._database, self._changes, run.devbox_id, DEVBOX_FINAL, _GRACE_SECONDS)
        async with self._database.write() as session:
            devbox = await DevboxRepository(session).get_by_id_for_update(run.devbox_id)
            if devbox is not None and devbox.status not in DEVBOX_FINAL:
                await self._endings.fail(session, devbox, "health_check_failed", reason)
            locked = await ScenarioRunRepository(session).get_by_id_for_update(run.id)
            if locked is not None and locked.state == State.SCORING:
                locked.failure_reason = reason
                locked.fault = "infrastructure"
                await ScenarioRunRepository(session).move(locked, State.FAILED)
                self.publish(session, run.id)

    async def _request(self, session: AsyncSession, run: ScenarioRun, devbox: Devbox | None) -> ScoringRequest:
        launch = LaunchParameters.model_validate(devbox.launch_parameters if devbox is not None else {})
        return ScoringRequest(
            devbox_id=run.devbox_id,
            user=launch.user,
            working_directory=run.working_directory,
            timeout_seconds=run.scorer_timeout_sec,
            key=run.scoring_key or run.id,
            functions=contract.load_run(await ScenarioRepository(session).contract(run.contract_digest)),
            restored=not run.system_as_left,
            spare=[] if devbox is None else [entrypoint_id(devbox)],
            image="" if devbox is None else self._image(devbox),
        )

    def _image(self, devbox: Devbox) -> str:
        """Identity of the programs that the devbox has at its start, and whose they are."""
        version = devbox.blueprint_id
        if isinstance(self._runtime, NamesImages):
            with suppress(ImageNotFound):  # the blueprint was deleted meanwhile
                version = self._runtime.image_version(devbox.blueprint_id)
        return f"{devbox.account_id} {version} {devbox.snapshot_id}"
