"""The wire's words for jobs and what came of them."""

from typing import Annotated, Any, Literal

from pydantic import Field

from loopyard.benchmark.run.states import StateName as BenchmarkRunStateName
from loopyard.benchmark_job.spec import AgentConfig, OrchestratorConfig
from loopyard.benchmark_job.states import JobStateName
from loopyard.benchmark_job.trial.states import ResultName
from loopyard.kit.http.wire import View


class FailureReasonView(View):
    """Why a trial failed, or what the agent said at its end. `fault` is beyond the wire's own words: whose fault it is
    that there is no score; None if there is one, or if somebody canceled."""

    exception_type: str
    exception_message: str
    fault: Literal["model", "infrastructure", "scenario"] | None = None


class ScenarioOutcomeView(View):
    """Outcome of a scenario: of the last attempt at it."""

    scenario_definition_id: str
    scenario_name: str
    state: ResultName
    duration_ms: int | None = None
    failure_reason: FailureReasonView | None = None
    scenario_run_id: str | None = None
    score: float | None = None


class BenchmarkOutcomeView(View):
    """Outcome of one agent configuration. `average_score` is over the completed scenarios."""

    agent_name: str
    benchmark_run_id: str
    n_completed: int
    n_failed: int
    n_timeout: int
    scenario_outcomes: list[ScenarioOutcomeView]
    average_score: float | None = None
    duration_ms: int | None = None
    model_name: str | None = None


class ExternalApiAgentConfigView(View):
    type: Literal["external_api"]
    info: str | None = None


class InProgressRunView(View):
    benchmark_run_id: str
    start_time_ms: int
    state: BenchmarkRunStateName
    agent_config: Annotated[ExternalApiAgentConfigView | AgentConfig, Field(discriminator="type")] | None = None
    duration_ms: int | None = None


class HarborJobSourceView(View):
    type: Literal["harbor"]
    inline_yaml: str


class BenchmarkDefJobSourceView(View):
    type: Literal["benchmark"]
    benchmark_id: str
    benchmark_name: str | None = None


class ScenariosJobSourceView(View):
    type: Literal["scenarios"]
    scenario_ids: list[str]


JobSource = Annotated[
    HarborJobSourceView | BenchmarkDefJobSourceView | ScenariosJobSourceView, Field(discriminator="type")
]


class JobSpecView(View):
    agent_configs: list[AgentConfig]
    scenario_ids: list[str]
    orchestrator_config: OrchestratorConfig | None = None


class BenchmarkJobView(View):
    id: str
    create_time_ms: int
    name: str
    state: JobStateName
    benchmark_outcomes: list[BenchmarkOutcomeView] | None = None
    failure_reason: str | None = None
    in_progress_runs: list[InProgressRunView] | None = None
    job_source: JobSource | None = None
    job_spec: JobSpecView | None = None


class BenchmarkJobListView(View):
    jobs: list[BenchmarkJobView]
    has_more: bool
    total_count: int | None = None


def dump(model: View) -> dict[str, Any]:
    """A view as JSON that can be stored."""
    return model.model_dump(mode="json", exclude_none=True)
