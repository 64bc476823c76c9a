"""Runner of Harbor jobs: starts their processes, resumes them after a crash, and closes ended jobs."""

import asyncio
import json
import logging
from contextlib import suppress
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.auth.on_behalf import caller_of
from loopyard.benchmark.run.repository import BenchmarkRunRepository
from loopyard.benchmark.run.service import BenchmarkRunService
from loopyard.benchmark.run.states import State as RunState
from loopyard.benchmark_job.config import JobConfig
from loopyard.benchmark_job.harbor import command, folders, inline, results
from loopyard.benchmark_job.harbor.allowed import Job
from loopyard.benchmark_job.harbor.process import HarborProcess
from loopyard.benchmark_job.models import BenchmarkJob, BenchmarkJobOutcome
from loopyard.benchmark_job.repository import BenchmarkJobRepository
from loopyard.benchmark_job.schemas import dump
from loopyard.benchmark_job.states import JobState
from loopyard.devbox.service import DevboxService
from loopyard.key.service import KeyService
from loopyard.kit.background.periodic import Periodic
from loopyard.kit.background.tasks import Tasks
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import Database
from loopyard.kit.errors import LoopyardError
from loopyard.kit.host.failpoint import failpoint
from loopyard.kit.host.private_files import write_private
from loopyard.kit.http.server_address import ServerAddress
from loopyard.secret.service import SecretService

log = logging.getLogger("loopyard.benchmark_job.harbor")

_LOOK_SECONDS = 1.0
_PAUSE_SECONDS = 10.0
_MAX_REASON = 4096
_KEY_MS = 600_000
"""How much longer than the job its process's key is good for."""
OUT_OF_TIME = "The job took longer than this server lets jobs take."


class HarborRunner:
    """Runner of Harbor jobs. `folder` holds a folder for each job."""

    def __init__(
        self,
        database: Database,
        runs: BenchmarkRunService,
        devboxes: DevboxService,
        secrets: SecretService,
        address: ServerAddress,
        keys: KeyService,
        tasks: Tasks,
        config: JobConfig,
        folder: Path,
    ) -> None:
        self._database = database
        self._runs = runs
        self._devboxes = devboxes
        self._secrets = secrets
        self._address = address
        self._keys = keys
        self._tasks = tasks
        self._config = config
        self._folder = folder
        self._looks = Periodic("looking after Harbor jobs", self._look, every=_LOOK_SECONDS)
        self._has_swept = False

    def wake(self) -> None:
        """There may be a new job."""
        self._looks.wake()

    async def run(self) -> None:
        """Take up every job that is not over, for ever. What jobs that are over have left is removed first."""
        await self._looks.run()

    async def _look(self) -> bool:
        """Take up every job that is not over. False if there is none."""
        async with self._database.read() as session:
            found = await BenchmarkJobRepository(session).ids_unfinished_of_harbor()
        if not self._has_swept:
            await asyncio.to_thread(folders.sweep, self._folder, found)
            self._has_swept = True
        for job_id in found:
            self._tasks.start(f"harbor {job_id}", self._attempt(job_id))
        return bool(found)

    async def _attempt(self, job_id: str) -> None:
        try:
            await self._run_job(job_id)
        except Exception:
            log.exception("job %s: the server failed at running it; trying again", job_id)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _run_job(self, job_id: str) -> None:
        async with self._database.read() as session:
            job = await BenchmarkJobRepository(session).get_by_id(job_id)
        if job is None or job.end_time_ms is not None:
            return
        folder = self._folder / job_id
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        process = HarborProcess(folder)
        wanted = inline.parse(str(job.source["inline_yaml"]))
        reason: str | None = None
        for _ in range(self._config.harbor.tries):
            if not process.alive and not results.finished(self._results(job_id)):
                try:
                    await self._start(job, wanted, process)
                except (inline.InvalidYaml, LoopyardError, OSError) as error:
                    reason = f"Harbor cannot be started: {error}"
                    break
            reason = await self._follow(job_id, process)
            if results.finished(self._results(job_id)) or process.status is not None or reason is not None:
                break
            log.warning("job %s: Harbor was ended from without; taking it up again", job_id)
        if reason is None and not results.finished(self._results(job_id)):
            reason = f"Harbor ended with status {process.status}:\n{process.last_words}"
        await self._shut_down_leftovers(job)
        failpoint("harbor.ended")
        await self._close(job_id, wanted, reason)
        failpoint("harbor.closed")
        await asyncio.to_thread(folders.remove, folder)

    async def _start(self, job: BenchmarkJob, wanted: Job, process: HarborProcess) -> None:
        """Start Harbor; where it was cut off, with the trials that are not over.

        Raises:
            InvalidYaml: What the job names is not there any more.
            LoopyardError: A secret cannot be had.
            OSError: The program cannot be started.
        """
        await self._shut_down_leftovers(job)
        program = command.find(self._config.harbor)
        if program is None:
            raise inline.InvalidYaml(command.MISSING)
        folder = self._folder / job.id
        values, missing = await self._secrets.values(job.account_id, {name: name for name in wanted.variables})
        if missing:
            raise inline.InvalidYaml(f"the secret {missing[0]} is not there any more")
        if (self._results(job.id) / "config.json").is_file():
            arguments = ["job", "resume", "--job-path", str(self._results(job.id))]
        else:
            content = inline.configuration(wanted, job.id, folder / "jobs", self._config.harbor.tasks)
            write_private(folder / "config.json", json.dumps(content).encode())
            arguments = ["run", "--config", "config.json", "--yes"]
        async with self._database.write() as session:
            locked = await BenchmarkJobRepository(session).get_by_id_for_update(job.id)
            if locked is not None and locked.state == JobState.QUEUED:
                locked.state = JobState.RUNNING
            key = await self._key(session, job)
        variables = {
            **values,
            "RUNLOOP_BASE_URL": self._address.url,
            "RUNLOOP_API_KEY": key,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "HARBOR_TELEMETRY": "off",
        }
        await asyncio.to_thread(process.start, [*program, *arguments], variables)
        log.info("job %s: Harbor is started", job.id)
        failpoint("harbor.started")

    async def _key(self, session: AsyncSession, job: BenchmarkJob) -> str:
        """A key of the job's account for its process: of the rights of the key that the job was made with, and of the
        time that the job has. It takes the place of the one that an earlier process had."""
        await self._keys.drop(session, job.account_id, _key_name(job.id))
        caller = await caller_of(session, job.made_by)
        scopes = None if caller is None else caller.scopes
        expires = max(job.deadline_ms, now_ms() + 1) + _KEY_MS
        return await self._keys.lend(session, job.account_id, _key_name(job.id), expires, scopes, job.made_by)

    async def _follow(self, job_id: str, process: HarborProcess) -> str | None:
        """Wait until Harbor has ended, and end it when nobody wants it any more. Returns why it was ended."""
        while await asyncio.to_thread(lambda: process.alive):
            async with self._database.read() as session:
                job = await BenchmarkJobRepository(session).get_by_id(job_id)
                states = {} if job is None else await BenchmarkJobRepository(session).runs_by_id(job.run_ids)
            if job is None:
                await asyncio.to_thread(process.stop)
                return "The job is gone."
            if job.deadline_ms <= now_ms():
                await asyncio.to_thread(process.stop)
                return OUT_OF_TIME
            if all(run.state != RunState.RUNNING for run in states.values()):
                await asyncio.to_thread(process.stop)
                return "All its benchmark runs were canceled."
            await asyncio.sleep(_LOOK_SECONDS)
        return None

    async def _shut_down_leftovers(self, job: BenchmarkJob) -> None:
        """End the devboxes of trials that were cut off."""
        for devbox_id in await asyncio.to_thread(results.cut_off, self._results(job.id)):
            with suppress(LoopyardError):  # it is gone already
                async with self._database.write() as session:
                    await self._devboxes.shut_down(session, job.account_id, devbox_id, force=True)

    async def _close(self, job_id: str, wanted: Job, reason: str | None) -> None:
        found = await asyncio.to_thread(results.trials, self._results(job_id))
        async with self._database.write() as session:
            jobs = BenchmarkJobRepository(session)
            job = await jobs.get_by_id_for_update(job_id)
            if job is None or job.end_time_ms is not None:
                return
            canceled = 0
            for position, (agent, run_id) in enumerate(zip(wanted.agents, job.run_ids, strict=True)):
                run = await BenchmarkRunRepository(session).get_by_id(run_id)
                if run is not None and run.state == RunState.RUNNING:
                    if reason is None:
                        run = await self._runs.complete(session, job.account_id, run_id)
                    else:
                        run = await self._runs.fail(session, job.account_id, run_id, reason[:_MAX_REASON])
                canceled += run is not None and run.state == RunState.CANCELED
                outcome = results.outcome(agent, run_id, found, None if run is None else run.duration_ms)
                row = BenchmarkJobOutcome(job_id=job_id, position=position, outcome=dump(outcome))
                await jobs.create_outcome(row)
            job.state = JobState.COMPLETED
            if reason == OUT_OF_TIME:
                job.state, job.out_of_time = JobState.TIMEOUT, True
            elif canceled == len(job.run_ids):
                job.state, reason = JobState.CANCELLED, None
            elif reason is not None:
                job.state = JobState.FAILED
            job.failure_reason = None if reason is None else reason[:_MAX_REASON].replace("\x00", "\ufffd")
            job.end_time_ms = now_ms()
            await self._keys.drop(session, job.account_id, _key_name(job_id))
        log.info("job %s is over: %s", job_id, reason or "completed")

    def _results(self, job_id: str) -> Path:
        return self._folder / job_id / "jobs" / job_id


def _key_name(job_id: str) -> str:
    return f"harbor job {job_id}"
