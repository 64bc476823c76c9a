"""Attempts of benchmark runs and jobs, read from the store: what `bench report` reads by the API."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from loopyard.bench.model_usage import ModelUsage, of_view
from loopyard.bench.reading.attempt import Attempt, ScorerScore
from loopyard.bench.reading.from_views import RunTold, agents_of, label, of_outcomes, of_run
from loopyard.benchmark.run.models import BenchmarkRun
from loopyard.benchmark.run.service import BenchmarkRunService
from loopyard.benchmark_job import viewing
from loopyard.benchmark_job.schemas import InProgressRunView
from loopyard.benchmark_job.service import JobService
from loopyard.benchmark_job.spec import AgentConfig
from loopyard.kit.db.database import Database
from loopyard.kit.errors import BadRequest
from loopyard.model_usage import service as model_usage
from loopyard.model_usage.ledger import Ledger
from loopyard.scenario.repository import ScenarioRepository
from loopyard.scenario.run.repository import RunOfBenchmark, ScenarioRunRepository
from loopyard.scenario.run.states import FINAL

MOST_ATTEMPTS = 20_000
"""Attempts that a page reads at most; the command line reads any number."""

JOB_PREFIX = "bmj_"
RUN_PREFIX = "bmr_"

_PIECE = 500
"""Scenario runs that are read at once: their scorers' output comes along, and is dropped."""


@dataclass(frozen=True, slots=True)
class AttemptSources:
    """A reader's parts."""

    database: Database
    ledger: Ledger
    jobs: JobService
    benchmark_runs: BenchmarkRunService


class AttemptReader:
    """Reads the attempts of one account for one page; scenarios' names are looked up once."""

    def __init__(self, parts: AttemptSources, account_id: str) -> None:
        self._parts = parts
        self._account_id = account_id
        self._names: dict[str, str] = {}
        self._count = 0

    async def read(self, source: str) -> list[Attempt]:
        """The attempts of a benchmark run or a job, oldest first, as `ServerReader` reads them.

        Raises:
            BadRequest: It is the id of neither, or all together are too many.
            NotFound: There is none with this id.
        """
        if source.startswith(JOB_PREFIX):
            return await self._job(source)
        if not source.startswith(RUN_PREFIX):
            message = f"of: {source[:80]!r} is neither the id of a benchmark run ({RUN_PREFIX}…) nor of a job"
            raise BadRequest(f"{message} ({JOB_PREFIX}…).", field="of")
        async with self._parts.database.read() as session:
            run = await self._parts.benchmark_runs.get(session, self._account_id, source)
        return await self._benchmark_run(run.id, source=run.id, agent=None)

    async def read_named(self, run: BenchmarkRun) -> list[Attempt]:
        """The attempts of a benchmark run by the agent that its own metadata name, with its model if they do."""
        agent = run.metadata_.get("agent")
        named = None if agent is None else label(agent, run.metadata_.get("model"))
        return await self._benchmark_run(run.id, source=run.id, agent=named)

    async def _job(self, job_id: str) -> list[Attempt]:
        async with self._parts.database.read() as session:
            job = await viewing.view(session, await self._parts.jobs.get(session, self._account_id, job_id))
        outcomes = job.benchmark_outcomes or []
        agents = agents_of(
            [(one.benchmark_run_id, one.agent_name, one.model_name) for one in outcomes],
            [_going_on(running) for running in job.in_progress_runs or []],
        )
        attempts: list[Attempt] = []
        for run_id, agent in agents.items():
            attempts += await self._benchmark_run(run_id, source=job.id, agent=agent)
        for outcome in outcomes:
            attempts += of_outcomes(job.id, agents[outcome.benchmark_run_id], outcome.scenario_outcomes, attempts)
        return attempts

    async def _benchmark_run(self, run_id: str, *, source: str, agent: str | None) -> list[Attempt]:
        attempts: list[Attempt] = []
        after_id = ""
        while True:
            async with self._parts.database.read() as session:
                piece = await ScenarioRunRepository(session).list_of_benchmark_run(
                    self._account_id, run_id, after_id=after_id, limit=_PIECE
                )
            if not piece:
                return attempts
            after_id = piece[-1].id
            self._count += len(piece)
            if self._count > MOST_ATTEMPTS:
                message = f"of: a page compares at most {MOST_ATTEMPTS:,} attempts; `loopyard bench report` and "
                raise BadRequest(f"{message}`loopyard bench compare` read any number.", field="of")
            usages = await self._usages(piece)
            await self._look_up({one.scenario_id for one in piece})
            attempts += await asyncio.to_thread(self._attempts, piece, usages, source, agent)

    def _attempts(
        self, piece: Sequence[RunOfBenchmark], usages: Sequence[ModelUsage | None], source: str, agent: str | None
    ) -> list[Attempt]:
        return [
            of_run(_told(one, usage), source=source, agent=agent, scenario=self._names[one.scenario_id])
            for one, usage in zip(piece, usages, strict=True)
        ]

    async def _usages(self, piece: Sequence[RunOfBenchmark]) -> list[ModelUsage | None]:
        await self._parts.ledger.settle(one.devbox_id for one in piece if one.state in FINAL)
        async with self._parts.database.read() as session:
            told = await model_usage.of_runs(session, {one.id: one.devbox_id for one in piece}, has_more=False)
        return [of_view(one.model_usage.model_dump()) for one in told.runs]

    async def _look_up(self, scenario_ids: set[str]) -> None:
        unknown = scenario_ids - self._names.keys()
        if not unknown:
            return
        async with self._parts.database.read() as session:
            found = await ScenarioRepository(session).names_of(unknown, self._account_id)
        self._names.update({scenario_id: found.get(scenario_id, scenario_id) for scenario_id in unknown})


def _going_on(running: InProgressRunView) -> tuple[str, str | None, str | None]:
    config = running.agent_config
    if not isinstance(config, AgentConfig):
        return running.benchmark_run_id, None, None
    return running.benchmark_run_id, config.name, config.model_name


def _told(run: RunOfBenchmark, usage: ModelUsage | None) -> RunTold:
    result: dict[str, Any] = run.result or {}
    functions: list[dict[str, Any]] = result.get("scoring_function_results") or []
    return RunTold(
        id=run.id,
        state=run.state,
        metadata=run.metadata,
        duration_ms=run.duration_ms,
        score=None if run.result is None else float(result["score"]),
        scorers=[
            ScorerScore(one["scoring_function_name"], float(one["score"]), one["state"] == "error") for one in functions
        ],
        usage=usage,
        fault=run.fault,
        reason=run.failure_reason,
    )
