"""Decides on the scenario run of a trial."""

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.auth.acting import acting_as
from loopyard.auth.on_behalf import caller_of
from loopyard.benchmark_job.repository import BenchmarkJobRepository
from loopyard.benchmark_job.trial.models import Trial
from loopyard.benchmark_job.trial.states import Step
from loopyard.kit.clock import now_ms
from loopyard.kit.ids import new_id
from loopyard.launch.parameters import DEFAULT_KEEP_ALIVE_SECONDS, MAX_KEEP_ALIVE_SECONDS, LaunchParameters
from loopyard.scenario.environment import ScenarioEnvironment
from loopyard.scenario.models import Scenario
from loopyard.scenario.repository import ScenarioRepository
from loopyard.scenario.run.schemas import RunProfile, ScenarioStartRunParams
from loopyard.scenario.run.service import RunService
from loopyard.scenario.schemas import DEFAULT_SCORER_TIMEOUT_SEC

_MOST_NAME = 1024
_SETUP_SECONDS = 1800
"""Time for a devbox to come up and to be set up, beside the time of the agent and of the scorers."""


async def start(session: AsyncSession, runs: RunService, trial: Trial, agent_name: str) -> None:
    """Start the scenario run of a locked trial, in the same transaction.

    Raises:
        LoopyardError: It cannot be started.
    """
    scenario = await ScenarioRepository(session).get_visible(trial.scenario_id, trial.account_id)
    profile = RunProfile() if scenario is None else RunProfile(launch_parameters=_lasting(scenario, trial))
    params = ScenarioStartRunParams(
        scenario_id=trial.scenario_id,
        benchmark_run_id=trial.benchmark_run_id,
        run_name=f"{trial.scenario_name} by {agent_name}"[:_MOST_NAME],
        metadata={
            "benchmark_job_id": trial.job_id,
            "agent": agent_name,
            "attempt": str(trial.agent_failures + 1),
            "infrastructure_failures": str(trial.infrastructure_failures),
        },
        run_profile=profile,
    )
    job = await BenchmarkJobRepository(session).get_by_id(trial.job_id)
    with acting_as(await caller_of(session, None if job is None else job.made_by)):
        run = await runs.start(session, trial.account_id, params, run_id=new_id("scr"))
    trial.scenario_run_id, trial.devbox_id = run.id, run.devbox_id
    trial.step, trial.start_time_ms = Step.STARTING, now_ms()


def _lasting(scenario: Scenario, trial: Trial) -> LaunchParameters | None:
    """Launch parameters that let the devbox live as long as the trial may take, unless the scenario says how long."""
    own = ScenarioEnvironment.model_validate(scenario.environment or {}).launch_parameters
    if own is not None and (own.keep_alive_time_seconds is not None or own.idle_policy is not None):
        return None
    scorer_seconds = scenario.scorer_timeout_sec or DEFAULT_SCORER_TIMEOUT_SEC
    seconds = _SETUP_SECONDS + int(trial.timeout_seconds) + scorer_seconds * len(scenario.scoring_functions)
    lasting = min(max(seconds, DEFAULT_KEEP_ALIVE_SECONDS), MAX_KEEP_ALIVE_SECONDS)
    return LaunchParameters(keep_alive_time_seconds=lasting)
