"""What a run's devbox is made of: the scenario's environment, and what the run profile changes about it."""

from contextlib import AbstractContextManager

from pydantic import ValidationError

from loopyard.devbox.launch_parameters import LaunchParameters
from loopyard.devbox.schemas import DevboxCreateParams
from loopyard.kit.error_handlers import explain
from loopyard.kit.errors import BadRequest
from loopyard.kit.naming import renamed
from loopyard.scenario.environment import ScenarioEnvironment
from loopyard.scenario.models import Scenario
from loopyard.scenario.run.schemas import RunProfile

_PROFILE = "runProfile"


def check_required(scenario: Scenario, profile: RunProfile) -> None:
    """Make sure that the profile gives all that the scenario requires.

    Raises:
        BadRequest: A variable or secret is missing; the error names it.
    """
    variables, secrets = profile.env_vars or {}, profile.secrets or {}
    missing = [name for name in scenario.required_environment_variables if name not in variables]
    if missing:
        field = f"{_PROFILE}.envVars"
        raise BadRequest(f"{field}: the scenario requires {', '.join(missing)}.", field=field)
    given = {*secrets.keys(), *secrets.values()}
    missing = [name for name in scenario.required_secret_names if name not in given]
    if missing:
        field = f"{_PROFILE}.secrets"
        raise BadRequest(f"{field}: the scenario requires {', '.join(missing)}.", field=field)


def devbox_params(name: str, environment: ScenarioEnvironment, profile: RunProfile) -> DevboxCreateParams:
    """The devbox of a run.

    Launch parameters of the profile take the place of the scenario's, one by one; its launch commands come after the
    scenario's, which set up what the scenario is about.

    Raises:
        BadRequest: The launch parameters do not go together.
    """
    params = environment.devbox()
    return params.model_copy(
        update={
            "name": name,
            "environment_variables": profile.env_vars,
            "launch_parameters": _launch(environment.launch_parameters, profile.launch_parameters),
            "mounts": profile.mounts,
            "secrets": profile.secrets,
        }
    )


def _launch(ours: LaunchParameters | None, theirs: LaunchParameters | None) -> LaunchParameters | None:
    if ours is None or theirs is None:
        return theirs or ours
    merged = {**ours.model_dump(exclude_none=True), **theirs.model_dump(exclude_none=True)}
    commands = [*(ours.launch_commands or []), *(theirs.launch_commands or [])]
    try:
        return LaunchParameters.model_validate({**merged, "launch_commands": commands or None})
    except ValidationError as error:
        field = f"{_PROFILE}.launchParameters"
        message = explain(error.errors()).message
        raise BadRequest(f"{field}: together with the scenario's own: {message}", field=field) from error


def named_by_profile() -> AbstractContextManager[None]:
    """Inside, an error of making the devbox names the run profile's fields."""
    return renamed(f"{_PROFILE}.", {"environment_variables": "envVars", "launch_parameters": "launchParameters"})
