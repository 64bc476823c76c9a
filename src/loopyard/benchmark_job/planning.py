"""Makes the benchmark runs and the trials of a new job, all in one transaction."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.benchmark.models import Benchmark
from loopyard.benchmark.repository import BenchmarkRepository
from loopyard.benchmark_job.agents import JobAgent
from loopyard.benchmark_job.repository import BenchmarkJobRepository
from loopyard.benchmark_job.schemas import BenchmarkDefJobSourceView, ScenariosJobSourceView, dump
from loopyard.benchmark_job.spec import AgentConfig, BenchmarkJobSpec, ScenariosJobSpec
from loopyard.benchmark_job.trial.repository import TrialRepository
from loopyard.benchmark_job.trial.states import Step
from loopyard.kit.clock import now_ms
from loopyard.kit.errors import BadRequest, LoopyardError, NotFound, WrongState
from loopyard.kit.ids import new_id
from loopyard.scenario.models import Scenario
from loopyard.scenario.run.profile import PROFILE
from loopyard.scenario.run.requirements import check_required

_AGENT_FIELDS = {
    f"{PROFILE}.envVars": "agent_environment.environment_variables",
    f"{PROFILE}.secrets": "agent_environment.secrets",
    f"{PROFILE}.gateways": "agent_environment.gateways",
    f"{PROFILE}.mcp": "agent_environment.mcp",
    f"{PROFILE}.mounts": "agent_id",
}


@dataclass(frozen=True, slots=True)
class Targets:
    """Scenarios that a job's agents are run on. `source` is the wire's `job_source`."""

    scenarios: Sequence[Scenario]
    source: Mapping[str, Any]
    called: str
    """The part of a job's name that tells what it runs."""
    benchmark: Benchmark | None = None


async def targets_of_benchmark(session: AsyncSession, account_id: str, spec: BenchmarkJobSpec) -> Targets:
    """The scenarios of a benchmark that are not archived.

    Raises:
        NotFound: There is no such benchmark.
        WrongState: It is archived.
        BadRequest: It has no scenario that can be run, or one that the account may not see.
    """
    field = "spec.benchmark_id"
    benchmarks = BenchmarkRepository(session)
    benchmark = await benchmarks.get_one_visible(spec.benchmark_id, account_id, field)
    if benchmark.status == "archived":
        raise WrongState(f"Benchmark {benchmark.id} is archived; it cannot be run.", field=field)
    ids = await BenchmarkRepository(session).runnable_ids(benchmark.id)
    if not ids:
        raise BadRequest(f"{field}: benchmark {benchmark.id} has no scenario that can be run.", field=field)
    found = await BenchmarkJobRepository(session).scenarios_by_id(ids, account_id)
    if hidden := [scenario_id for scenario_id in ids if scenario_id not in found]:
        message = f"{field}: scenario {hidden[0]} of benchmark {benchmark.id} is not public."
        raise BadRequest(message, field=field)
    source = BenchmarkDefJobSourceView(type="benchmark", benchmark_id=benchmark.id, benchmark_name=benchmark.name)
    return Targets([found[scenario_id] for scenario_id in ids], dump(source), benchmark.name, benchmark)


async def targets_of_list(session: AsyncSession, account_id: str, spec: ScenariosJobSpec) -> Targets:
    """The scenarios of a list.

    Raises:
        NotFound: One is not there.
        WrongState: One is archived.
        BadRequest: One is named twice.
    """
    found = await BenchmarkJobRepository(session).scenarios_by_id(spec.scenario_ids, account_id)
    seen: set[str] = set()
    for index, scenario_id in enumerate(spec.scenario_ids):
        field = f"spec.scenario_ids.{index}"
        if scenario_id not in found:
            raise NotFound(f"There is no scenario {scenario_id}.", field=field)
        if found[scenario_id].status == "archived":
            raise WrongState(f"Scenario {scenario_id} is archived; no run of it can be started.", field=field)
        if scenario_id in seen:
            message = f"{field}: {scenario_id} is named twice; give an agent configuration twice for more samples."
            raise BadRequest(message, field=field)
        seen.add(scenario_id)
    source = ScenariosJobSourceView(type="scenarios", scenario_ids=spec.scenario_ids)
    return Targets([found[scenario_id] for scenario_id in spec.scenario_ids], dump(source), "scenarios")


def check_suited(targets: Targets, agent: JobAgent, at: str) -> None:
    """Make sure that an agent, which the request calls `at`, can be set to each of the scenarios.

    Raises:
        BadRequest: Something is missing that a scenario, the benchmark or the agent requires.
    """
    with named_by_config(at):
        if targets.benchmark is not None:
            required = targets.benchmark
            names = required.required_environment_variables, required.required_secret_names
            check_required("benchmark", *names, agent.profile)
        for scenario in targets.scenarios:
            names = scenario.required_environment_variables, scenario.required_secret_names
            check_required("scenario", *names, agent.profile)
    if agent.description.input == "reference_output":
        for scenario in targets.scenarios:
            if not scenario.reference_output:
                message = f"{at}.name: agent {agent.description.name} applies the reference output, and scenario "
                raise BadRequest(f"{message}{scenario.id} has none.", field=f"{at}.name")


async def create_trials(
    session: AsyncSession,
    job_id: str,
    account_id: str,
    targets: Targets,
    agents: Sequence[tuple[AgentConfig, str]],
    default_seconds: float,
) -> None:
    """Write down a first attempt for each agent, given with its benchmark run, at each scenario: all agents at the
    first scenario, then all at the next, so that what is done by any time can be compared."""
    now = now_ms()
    rows = [
        {
            "id": new_id("trl"),
            "account_id": account_id,
            "job_id": job_id,
            "benchmark_run_id": run_id,
            "position": position,
            "scenario_position": scenario_position,
            "number": 0,
            "scenario_id": scenario.id,
            "scenario_name": scenario.name,
            "step": Step.WAITING,
            "not_before_ms": now,
            "timeout_seconds": default_seconds if config.timeout_seconds is None else config.timeout_seconds,
            "agent_failures": 0,
            "infrastructure_failures": 0,
            "final": False,
            "create_time_ms": now,
        }
        for scenario_position, scenario in enumerate(targets.scenarios)
        for position, (config, run_id) in enumerate(agents)
    ]
    await TrialRepository(session).create_from(rows)


@contextmanager
def named_by_config(at: str) -> Generator[None]:
    """Inside, an error that names a field of the run profile names the agent configuration's, which the request calls
    `at`."""
    try:
        yield
    except LoopyardError as error:
        if error.field is None:
            raise
        known = next((name for name in _AGENT_FIELDS if error.field.startswith(name)), None)
        field = at if known is None else f"{at}.{_AGENT_FIELDS[known]}"
        message = error.message.removeprefix(f"{error.field}: ")
        raise type(error)(f"{field}: {message}", field=field) from error
