"""Decides about jobs. What it decides is written by the caller's transaction and carried out after its commit."""

from collections.abc import Callable, Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.account.limits import AccountLimits, check
from loopyard.agent.catalog.description import AgentDescription
from loopyard.auth.acting import acting_key
from loopyard.benchmark.run.service import BenchmarkRunService, NewRun
from loopyard.benchmark_job import planning
from loopyard.benchmark_job.agents import JobAgents
from loopyard.benchmark_job.config import JobConfig
from loopyard.benchmark_job.harbor.jobs import HarborJobs
from loopyard.benchmark_job.models import BenchmarkJob
from loopyard.benchmark_job.planning import Targets, named_by_config
from loopyard.benchmark_job.repository import BenchmarkJobRepository
from loopyard.benchmark_job.schemas import JobSpecView, dump
from loopyard.benchmark_job.spec import (
    MAX_TRIALS,
    BenchmarkJobCreateParams,
    BenchmarkJobSpec,
    HarborJobSpec,
    OrchestratorConfig,
    ScenariosJobSpec,
)
from loopyard.benchmark_job.states import JobState
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import after_commit
from loopyard.kit.errors import BadRequest
from loopyard.kit.host.failpoint import failpoint
from loopyard.kit.ids import new_id
from loopyard.kit.lists import names
from loopyard.model_usage.wishes import MAX_COST, MAX_TOKENS

_MOST_NAME = 900
"""Characters of a job's name that go into the names of its runs."""


class JobService:
    """The jobs of this server. `wake` is called when there is something to be carried out."""

    def __init__(
        self,
        runs: BenchmarkRunService,
        agents: JobAgents,
        harbor: HarborJobs,
        config: JobConfig,
        limits: AccountLimits,
        wake: Callable[[], None],
    ) -> None:
        self._runs = runs
        self._agents = agents
        self._harbor = harbor
        self._config = config
        self._limits = limits
        self._wake = wake

    @property
    def kinds(self) -> Mapping[str, AgentDescription]:
        """The kinds of agents that this server knows how to run, by name."""
        return self._agents.kinds

    async def create(
        self, session: AsyncSession, account_id: str, params: BenchmarkJobCreateParams, *, job_id: str
    ) -> BenchmarkJob:
        """Decide on a job, with a benchmark run for each of its agents and a trial for each agent and scenario.

        Raises:
            NotFound: There is no such benchmark, scenario, agent or secret.
            WrongState: The benchmark or scenario is archived.
            BadRequest: Something that is required is missing or cannot be, or this server does not run such jobs.
            Forbidden: The caller's key may not use something that is named.
            LimitReached: The account has as many jobs under way as it may have.
        """
        limits = await self._limits.hold(session, account_id)
        if limits is not None and limits.jobs is not None:
            has = await BenchmarkJobRepository(session).count_unfinished(account_id)
            check("jobs", limits.jobs, has, 1, account_id=account_id, advice="Wait until a job is over.")
        match params.spec:
            case None:
                raise BadRequest("spec: say what is to be run.", field="spec")
            case HarborJobSpec() as spec:
                return await self._harbor.create(session, account_id, params.name, spec, job_id=job_id)
            case BenchmarkJobSpec() as spec:
                targets = await planning.targets_of_benchmark(session, account_id, spec)
            case ScenariosJobSpec() as spec:
                targets = await planning.targets_of_list(session, account_id, spec)
        if len(targets.scenarios) * len(spec.agent_configs) > MAX_TRIALS:
            message = f"spec.agent_configs: agents times scenarios may be {MAX_TRIALS:,} at most."
            raise BadRequest(message, field="spec.agent_configs")
        name = params.name or f"{targets.called[:_MOST_NAME]}-{job_id[-8:]}"
        runs = [
            (config, await self._start_run(session, account_id, job_id, name, targets, position, spec))
            for position, config in enumerate(spec.agent_configs)
        ]
        orchestrator = spec.orchestrator_config
        now = now_ms()
        job = BenchmarkJob(
            id=job_id,
            account_id=account_id,
            name=name,
            name_digest=names.digest(name),
            name_folded=names.fold(name),
            state=JobState.QUEUED,
            source=targets.source,
            spec=dump(
                JobSpecView(
                    agent_configs=spec.agent_configs,
                    scenario_ids=[scenario.id for scenario in targets.scenarios],
                    orchestrator_config=orchestrator,
                )
            ),
            run_ids=[run_id for _, run_id in runs],
            n_concurrent_trials=(orchestrator.n_concurrent_trials if orchestrator else None) or 1,
            out_of_time=False,
            made_by=acting_key(),
            create_time_ms=now,
            deadline_ms=now + self._config.job_seconds * 1000,
        )
        await BenchmarkJobRepository(session).create(job)
        await planning.create_trials(session, job_id, account_id, targets, runs, self._config.agent_seconds)
        after_commit(session, lambda: failpoint("job.created"))
        after_commit(session, self._wake)
        return job

    async def get(self, session: AsyncSession, account_id: str, job_id: str) -> BenchmarkJob:
        """A job of the account.

        Raises:
            NotFound: It has none of this id.
        """
        return await BenchmarkJobRepository(session).get_one_owned(job_id, account_id)

    async def _start_run(
        self,
        session: AsyncSession,
        account_id: str,
        job_id: str,
        name: str,
        targets: Targets,
        position: int,
        spec: BenchmarkJobSpec | ScenariosJobSpec,
    ) -> str:
        """Decide on the benchmark run of one agent configuration; returns its id."""
        config = spec.agent_configs[position]
        at = f"spec.agent_configs.{position}"
        agent = await self._agents.find(session, account_id, config, at)
        planning.check_suited(targets, agent, at)
        told = {"benchmark_job_id": job_id, "agent": config.name, "model": config.model_name}
        new = NewRun(
            scenario_ids=[scenario.id for scenario in targets.scenarios],
            benchmark_id=None if targets.benchmark is None else targets.benchmark.id,
            name=f"{name[:_MOST_NAME]} by {config.name[:100]}",
            profile=agent.profile.model_copy(update={"purpose": f"benchmark job {job_id}"}),
            metadata={
                **{key: value for key, value in told.items() if value is not None},
                **_budget(spec.orchestrator_config),
            },
        )
        with named_by_config(at):
            run = await self._runs.begin(session, account_id, new, run_id=new_id("bmr"))
        return run.id


def _budget(orchestrator: OrchestratorConfig | None) -> dict[str, str]:
    """The budget of a job's scenario runs, as metadata of their benchmark run."""
    budget: dict[str, str] = {}
    if orchestrator is not None and orchestrator.max_cost_usd is not None:
        budget[MAX_COST] = f"{orchestrator.max_cost_usd:.9f}"
    if orchestrator is not None and orchestrator.max_tokens is not None:
        budget[MAX_TOKENS] = str(orchestrator.max_tokens)
    return budget
