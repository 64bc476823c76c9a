"""Reads benchmark runs and jobs of a server, by the official client."""

import io
import json
import zipfile
from typing import Any

from runloop_api_client import APIError, AsyncRunloop, NotFoundError
from runloop_api_client.types import BenchmarkJobView, ScenarioRunView

from loopyard.bench.model_usage import ModelUsage, of_benchmark_run
from loopyard.bench.reading import cost
from loopyard.bench.reading.attempt import Attempt, AttemptEnd, ScorerScore, Unreadable
from loopyard.bench.wire_errors import describe

RUN_PREFIX = "bmr_"
JOB_PREFIX = "bmj_"
UNNAMED = "agent"
"""What an agent is called of which neither a job nor a run's metadata tells the name."""

_PAGE = 500
_MODEL = "model"
"""At fault for a run that is `failed` or `timeout`, as its manifest has it; else it is the infrastructure."""

_ENDINGS = {
    "completed": AttemptEnd.SCORED,
    "scored": AttemptEnd.SCORED,
    "timeout": AttemptEnd.TIMEOUT,
    "failed": AttemptEnd.INFRASTRUCTURE_FAILED,
    "canceled": AttemptEnd.CANCELED,
    "running": AttemptEnd.UNFINISHED,
    "scoring": AttemptEnd.UNFINISHED,
}


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
        agents: dict[str, str] = {}
        attempts: list[Attempt] = []
        for outcome in job.benchmark_outcomes or []:
            agents[outcome.benchmark_run_id] = _label(outcome.agent_name, outcome.api_model_name)
        for running in job.in_progress_runs or []:
            config = running.agent_config
            if config is not None and config.type == "job_agent":
                agents.setdefault(running.benchmark_run_id, _label(config.name, config.api_model_name))
            else:
                agents.setdefault(running.benchmark_run_id, UNNAMED)
        for run_id, agent in agents.items():
            attempts += await self._benchmark_run(run_id, source=job.id, agent=agent)
        known = {attempt.run_id for attempt in attempts if attempt.run_id}
        # Outcomes without a run: Harbor's, and scenarios that failed before a run was made.
        for outcome in job.benchmark_outcomes or []:
            for one in outcome.scenario_outcomes:
                if one.scenario_run_id is None or one.scenario_run_id not in known:
                    attempts.append(_outcome(job.id, agents[outcome.benchmark_run_id], one))
        return attempts

    async def _benchmark_run(self, run_id: str, *, source: str, agent: str | None = None) -> list[Attempt]:
        runs = [run async for run in self._client.benchmark_runs.list_scenario_runs(run_id, limit=_PAGE)]
        usages = await of_benchmark_run(self._client, run_id) if runs else {}
        return [await self._attempt(source, agent, run, usages.get(run.id)) for run in reversed(runs)]

    async def _attempt(self, source: str, agent: str | None, run: ScenarioRunView, usage: ModelUsage | None) -> Attempt:
        contract = run.scoring_contract_result
        ending = _ENDINGS[run.state]
        reason = None
        if ending in (AttemptEnd.TIMEOUT, AttemptEnd.INFRASTRUCTURE_FAILED):
            fault, reason = await self._fault(run.id)
            if fault != _MODEL:
                ending = AttemptEnd.INFRASTRUCTURE_FAILED
            elif ending == AttemptEnd.INFRASTRUCTURE_FAILED:
                ending = AttemptEnd.AGENT_FAILED
        if ending == AttemptEnd.SCORED and contract is None:
            ending = AttemptEnd.INFRASTRUCTURE_FAILED
        return Attempt(
            source=source,
            agent=agent or run.metadata.get("agent") or UNNAMED,
            scenario=await self._name(run.scenario_id),
            ending=ending,
            score=contract.score
            if contract is not None and ending in (AttemptEnd.SCORED, AttemptEnd.TIMEOUT)
            else None,
            seconds=run.duration_ms / 1000 if run.duration_ms is not None else None,
            cost_usd=cost.of_attempt(run.metadata, usage, None),
            model_usage=usage,
            reason=reason,
            run_id=run.id,
            scorers=[
                ScorerScore(one.scoring_function_name, one.score, one.state == "error")
                for one in (contract.scoring_function_results if contract is not None else [])
            ],
        )

    async def _fault(self, run_id: str) -> tuple[str | None, str | None]:
        """Whose fault it is that a run was not completed, and the reason, from the manifest of its logs."""
        logs = await self._client.scenarios.runs.download_logs(run_id)
        with zipfile.ZipFile(io.BytesIO(await logs.read())) as archive:
            manifest = json.loads(archive.read("manifest.json"))
        return manifest.get("fault"), manifest.get("failure_reason")

    async def _name(self, scenario_id: str) -> str:
        if scenario_id not in self._names:
            try:
                self._names[scenario_id] = (await self._client.scenarios.retrieve(scenario_id)).name
            except NotFoundError:
                self._names[scenario_id] = scenario_id
        return self._names[scenario_id]


def _label(agent: str, model: str | None) -> str:
    return f"{agent} ({model})" if model else agent


def _outcome(source: str, agent: str, one: Any) -> Attempt:
    endings = {
        "COMPLETED": AttemptEnd.SCORED,
        "FAILED": AttemptEnd.INFRASTRUCTURE_FAILED,
        "TIMEOUT": AttemptEnd.TIMEOUT,
        "CANCELED": AttemptEnd.CANCELED,
    }
    ending = endings[one.state]
    if ending == AttemptEnd.SCORED and one.score is None:
        ending = AttemptEnd.INFRASTRUCTURE_FAILED
    reason = one.failure_reason
    if one.state == "FAILED" and getattr(reason, "fault", None) == _MODEL:
        ending = AttemptEnd.AGENT_FAILED
    return Attempt(
        source=source,
        agent=agent,
        scenario=one.scenario_name,
        ending=ending,
        score=one.score if ending == AttemptEnd.SCORED else None,
        seconds=one.duration_ms / 1000 if one.duration_ms is not None else None,
        reason=f"{reason.exception_type}: {reason.exception_message}" if reason is not None else None,
        run_id=one.scenario_run_id,
    )
