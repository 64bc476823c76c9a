"""Environment of a run's devbox: the scenario's, with the changes of the run profiles."""

from contextlib import AbstractContextManager

from pydantic import ValidationError

from loopyard.devbox.schemas import DevboxCreateParams
from loopyard.kit.errors import BadRequest
from loopyard.kit.http.error_handlers import explain
from loopyard.kit.http.naming import renamed
from loopyard.launch.parameters import LaunchParameters
from loopyard.launch.upstreams import merged
from loopyard.scenario.environment import ScenarioEnvironment
from loopyard.scenario.run.schemas import RunProfile

PROFILE = "runProfile"


def inherit(outer: RunProfile, inner: RunProfile) -> RunProfile:
    """The profile of a scenario run in a benchmark run: what the benchmark run's profile (`outer`) says where the
    scenario run's own does not say otherwise. Mounts and launch commands of both are made, the outer ones first.

    Raises:
        BadRequest: The launch parameters do not go together.
    """
    variables, secrets = inner.env_vars or {}, inner.secrets or {}
    kept_variables = {name: value for name, value in (outer.env_vars or {}).items() if name not in secrets}
    kept_secrets = {name: value for name, value in (outer.secrets or {}).items() if name not in variables}
    return RunProfile(
        env_vars={**kept_variables, **variables} or None,
        gateways=merged(outer.gateways, inner.gateways),
        launch_parameters=_launch(outer.launch_parameters, inner.launch_parameters, "benchmark run"),
        mcp=merged(outer.mcp, inner.mcp),
        mounts=[*(outer.mounts or []), *(inner.mounts or [])] or None,
        purpose=outer.purpose if inner.purpose is None else inner.purpose,
        secrets={**kept_secrets, **secrets} or None,
    )


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
            "gateways": profile.gateways,
            "launch_parameters": _launch(environment.launch_parameters, profile.launch_parameters, "scenario"),
            "mcp": profile.mcp,
            "mounts": profile.mounts,
            "secrets": profile.secrets,
        }
    )


def _launch(ours: LaunchParameters | None, theirs: LaunchParameters | None, whose: str) -> LaunchParameters | None:
    if ours is None or theirs is None:
        return theirs or ours
    together = {**ours.model_dump(exclude_none=True), **theirs.model_dump(exclude_none=True)}
    commands = [*(ours.launch_commands or []), *(theirs.launch_commands or [])]
    calls = {"gateways": merged(ours.gateways, theirs.gateways), "mcp": merged(ours.mcp, theirs.mcp)}
    try:
        return LaunchParameters.model_validate({**together, **calls, "launch_commands": commands or None})
    except ValidationError as error:
        field = f"{PROFILE}.launchParameters"
        message = explain(error.errors()).message
        raise BadRequest(f"{field}: together with the {whose}'s own: {message}", field=field) from error


def named_by_profile() -> AbstractContextManager[None]:
    """Inside, an error of making the devbox names the run profile's fields."""
    return renamed(f"{PROFILE}.", {"environment_variables": "envVars", "launch_parameters": "launchParameters"})
