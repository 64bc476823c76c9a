"""Jobs that Harbor carries out: decided here, run by a process beside the server, closed with what came of them."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.auth.acting import acting_key, require
from loopyard.benchmark.run.service import BenchmarkRunService, NewRun
from loopyard.benchmark_job.config import JobConfig
from loopyard.benchmark_job.harbor import command, inline
from loopyard.benchmark_job.models import BenchmarkJob
from loopyard.benchmark_job.repository import BenchmarkJobRepository
from loopyard.benchmark_job.schemas import HarborJobSourceView, dump
from loopyard.benchmark_job.spec import HarborJobSpec
from loopyard.benchmark_job.states import JobState
from loopyard.identity.scopes import Level, Resource
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import after_commit
from loopyard.kit.errors import BadRequest
from loopyard.kit.host.failpoint import failpoint
from loopyard.kit.ids import new_id
from loopyard.kit.lists import names
from loopyard.secret.repository import SecretRepository

FIELD = "spec.inline_yaml"
_MOST_NAME = 900


class HarborJobs:
    """Decides on jobs. `wake` is called when there is something to be carried out."""

    def __init__(self, runs: BenchmarkRunService, config: JobConfig, wake: Callable[[], None]) -> None:
        self._runs = runs
        self._config = config
        self._wake = wake

    async def create(
        self, session: AsyncSession, account_id: str, name: str | None, spec: HarborJobSpec, *, job_id: str
    ) -> BenchmarkJob:
        """Decide on a job, with a benchmark run for each of its agents.

        Raises:
            BadRequest: The YAML is not what a job may be, or this server has no Harbor.
        """
        if command.find(self._config.harbor) is None:
            raise BadRequest(f"spec.type: {command.MISSING}.", field="spec.type")
        try:
            job = inline.parse(spec.inline_yaml)
            inline.configuration(job, job_id, Path(), self._config.harbor.tasks)
        except inline.InvalidYaml as error:
            raise BadRequest(f"{FIELD}: {error}.", field=FIELD) from error
        if job.variables:
            require(Resource.ACCOUNT, Level.READ, "a secret that a job gets", field=FIELD)
        known = await SecretRepository(session).known_names(account_id, job.variables)
        missing = [variable for variable in job.variables if variable not in known]
        if missing:
            message = f"{FIELD}: ${{{missing[0]}}} asks for a secret that this account does not have."
            raise BadRequest(message, field=FIELD)
        called = name or f"{job.job_name or 'harbor'}-{job_id[-8:]}"
        run_ids: list[str] = []
        for agent in job.agents:
            told = {"benchmark_job_id": job_id, "agent": agent.name, "model": agent.model_name}
            new = NewRun(
                scenario_ids=[],
                name=f"{called[:_MOST_NAME]} by {agent.name[:100]}",
                metadata={key: value for key, value in told.items() if value is not None},
            )
            run_ids.append((await self._runs.begin(session, account_id, new, run_id=new_id("bmr"))).id)
        now = now_ms()
        row = BenchmarkJob(
            id=job_id,
            account_id=account_id,
            name=called,
            name_digest=names.digest(called),
            name_folded=names.fold(called),
            state=JobState.QUEUED,
            source=dump(HarborJobSourceView(type="harbor", inline_yaml=spec.inline_yaml)),
            spec=None,
            run_ids=run_ids,
            n_concurrent_trials=job.n_concurrent_trials or 1,
            made_by=acting_key(),
            out_of_time=False,
            create_time_ms=now,
            deadline_ms=now + self._config.job_seconds * 1000,
        )
        await BenchmarkJobRepository(session).create(row)
        after_commit(session, lambda: failpoint("harbor.created"))
        after_commit(session, self._wake)
        return row
