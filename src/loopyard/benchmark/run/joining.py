"""How a scenario run becomes a part of a benchmark run."""

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.benchmark.run import repository
from loopyard.benchmark.run.models import BenchmarkRun
from loopyard.benchmark.run.states import State
from loopyard.kit.errors import NotFound, WrongState
from loopyard.scenario.run.profile import inherit
from loopyard.scenario.run.schemas import RunProfile

_FIELD = "benchmark_run_id"


async def join(session: AsyncSession, account_id: str, run_id: str, profile: RunProfile) -> RunProfile:
    """The profile of a scenario run that is started as a part of a benchmark run, which cannot end before the
    transaction does.

    Raises:
        NotFound: The account has no such benchmark run.
        WrongState: It is over.
        BadRequest: The launch parameters of the two profiles do not go together.
    """
    run = await repository.hold(session, run_id, account_id)
    if run is None:
        raise NotFound(f"There is no benchmark run {run_id}.", field=_FIELD)
    if run.state != State.RUNNING:
        raise WrongState(f"Benchmark run {run_id} is {run.state}; nothing can be run in it any more.", field=_FIELD)
    return inherit(profile_of(run), profile)


def profile_of(run: BenchmarkRun) -> RunProfile:
    """What the scenario runs of a benchmark run that goes on inherit."""
    return RunProfile.model_validate(
        {
            **(run.run_profile or {}),
            "env_vars": run.environment_variables or None,
            "purpose": run.purpose,
            "secrets": run.secrets_provided or None,
        }
    )
