"""Reads benchmark runs and jobs of a server, by the official client."""

from runloop_api_client import APIError, AsyncRunloop, NotFoundError
from runloop_api_client.types import BenchmarkJobView, ScenarioRunView
from runloop_api_client.types.benchmark_job_view import InProgressRun

from loopyard.bench.manifest import manifest_of
from loopyard.bench.model_usage import ModelUsage
from loopyard.bench.model_usage_of_server import of_benchmark_run
from loopyard.bench.reading.attempt import Attempt, ScorerScore, Unreadable
from loopyard.bench.reading.from_views import RunTold, agents_of, needs_fault, of_outcomes, of_run
from loopyard.bench.wire_errors import describe

RUN_PREFIX = "bmr_"
JOB_PREFIX = "bmj_"
_PAGE = 500


class ServerReader:
    """Reads runs from one server; scenarios' names are asked for once."""

    def __init__(self, client: AsyncRunloop) -> None:
        self._client = client
        self._names: dict[str, str] = {}

    async def read(self, run: str) -> list[Attempt]:
        """The attempts of a benchmark run or a job, oldest first.

        Raises:
            Unreadable: There is none with this id, or the server does not answer.
        """
        try:
            if run.startswith(JOB_PREFIX):
                return await self._job(await self._client.benchmark_jobs.retrieve(run))
            return await self._benchmark_run(run, source=run)
        except NotFoundError as error:
            raise Unreadable(f"the server {self._client.base_url} has no {run}") from error
        except APIError as error:
            raise Unreadable(f"{run} cannot be read from {self._client.base_url}: {describe(error)}") from error

    async def _job(self, job: BenchmarkJobView) -> list[Attempt]:
        over = [(one.benchmark_run_id, one.agent_name, one.api_model_name) for one in job.benchmark_outcomes or []]
        agents = agents_of(over, [_going_on(running) for running in job.in_progress_runs or []])
        attempts: list[Attempt] = []
        for run_id, agent in agents.items():
            attempts += await self._benchmark_run(run_id, source=job.id, agent=agent)
        for outcome in job.benchmark_outcomes or []:
            attempts += of_outcomes(job.id, agents[outcome.benchmark_run_id], outcome.scenario_outcomes, attempts)
        return attempts

    async def _benchmark_run(self, run_id: str, *, source: str, agent: str | None = None) -> list[Attempt]:
        runs = [run async for run in self._client.benchmark_runs.list_scenario_runs(run_id, limit=_PAGE)]
        usages = await of_benchmark_run(self._client, run_id) if runs else {}
        return [await self._attempt(source, agent, run, usages.get(run.id)) for run in reversed(runs)]

    async def _attempt(self, source: str, agent: str | None, run: ScenarioRunView, usage: ModelUsage | None) -> Attempt:
        contract = run.scoring_contract_result
        fault, reason = await self._fault(run.id) if needs_fault(run.state) else (None, None)
        told = RunTold(
            id=run.id,
            state=run.state,
            metadata=run.metadata,
            duration_ms=run.duration_ms,
            score=None if contract is None else contract.score,
            scorers=[
                ScorerScore(one.scoring_function_name, one.score, one.state == "error")
                for one in (contract.scoring_function_results if contract is not None else [])
            ],
            usage=usage,
            fault=fault,
            reason=reason,
        )
        return of_run(told, source=source, agent=agent, scenario=await self._name(run.scenario_id))

    async def _fault(self, run_id: str) -> tuple[str | None, str | None]:
        """Whose fault it is that a run was not completed, and the reason, from the manifest of its logs."""
        manifest = await manifest_of(self._client, run_id)
        return manifest.get("fault"), manifest.get("failure_reason")

    async def _name(self, scenario_id: str) -> str:
        if scenario_id not in self._names:
            try:
                self._names[scenario_id] = (await self._client.scenarios.retrieve(scenario_id)).name
            except NotFoundError:
                self._names[scenario_id] = scenario_id
        return self._names[scenario_id]


def _going_on(running: InProgressRun) -> tuple[str, str | None, str | None]:
    config = running.agent_config
    if config is None or config.type != "job_agent":
        return running.benchmark_run_id, None, None
    return running.benchmark_run_id, config.name, config.api_model_name
