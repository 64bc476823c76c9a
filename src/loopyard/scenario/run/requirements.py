"""Requirements to check before a run of a scenario or benchmark is started."""

from collections.abc import Sequence
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox.create.plan import plan_devbox
from loopyard.kit.errors import BadRequest
from loopyard.scenario.environment import ScenarioEnvironment
from loopyard.scenario.run.profile import PROFILE, devbox_params, named_by_profile
from loopyard.scenario.run.schemas import RunProfile


def check_required(
    kind: Literal["scenario", "benchmark"], variables: Sequence[str], secret_names: Sequence[str], profile: RunProfile
) -> None:
    """Make sure that the profile gives the variables and secrets that a scenario or benchmark requires.

    Raises:
        BadRequest: A variable or secret is missing; the error names it.
    """
    given_variables, secrets = profile.env_vars or {}, profile.secrets or {}
    missing = [name for name in variables if name not in given_variables]
    if missing:
        field = f"{PROFILE}.envVars"
        raise BadRequest(f"{field}: the {kind} requires {', '.join(missing)}.", field=field)
    given = {*secrets.keys(), *secrets.values()}
    missing = [name for name in secret_names if name not in given]
    if missing:
        field = f"{PROFILE}.secrets"
        raise BadRequest(f"{field}: the {kind} requires {', '.join(missing)}.", field=field)


async def check_possible(session: AsyncSession, account_id: str, profile: RunProfile) -> None:
    """Make sure that devboxes can be made with the profile, as far as can be told without a scenario.

    Raises:
        BadRequest: Something is not valid or not offered here, or there is no such secret; the error names it.
        NotFound: The policy, object or agent named does not exist.
        WrongState: The object named is not complete.
    """
    params = devbox_params("", ScenarioEnvironment(), profile)
    with named_by_profile():
        await plan_devbox(session, account_id, params)
