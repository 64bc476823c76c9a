"""Scenarios of a server as the bench has them, so far as it takes to try them."""

import re
from collections.abc import Sequence

from runloop_api_client import AsyncRunloop, NotFoundError
from runloop_api_client.types import ScenarioView

from loopyard.bench.definition import Environment, ReferenceOutput, ScenarioDefinition
from loopyard.bench.loader import FolderFault

_PATCH = re.compile(r"\A(diff --git |--- |Index: |From [0-9a-f]{40} )|^diff --git ", re.MULTILINE)


async def scenarios_of(client: AsyncRunloop, ids: Sequence[str]) -> dict[str, ScenarioDefinition]:
    """The scenarios of these ids, by id.

    Raises:
        FolderFault: There is none of one of the ids, or it is archived; all are told.
    """
    found: dict[str, ScenarioDefinition] = {}
    faults: list[str] = []
    for scenario_id in dict.fromkeys(ids):
        try:
            view = await client.scenarios.retrieve(scenario_id)
        except NotFoundError:
            faults.append(f"there is no scenario {scenario_id} on the server")
            continue
        if view.status != "active":
            faults.append(f"scenario {scenario_id} is {view.status}; it cannot be run")
            continue
        found[scenario_id] = definition(view)
    if faults:
        raise FolderFault(faults)
    return found


def definition(view: ScenarioView) -> ScenarioDefinition:
    """A scenario of the server. Its scorers are not looked at: the server has them."""
    directory = view.environment.working_directory if view.environment is not None else None
    return ScenarioDefinition.model_construct(
        name=f"{view.name} ({view.id})",
        problem_statement=view.input_context.problem_statement,
        environment=Environment.model_construct(working_directory=directory),
        scoring_functions=[],
        reference_output=reference(view.reference_output),
        required_environment_variables=view.required_environment_variables or [],
        required_secret_names=view.required_secret_names or [],
        scorer_timeout_sec=view.scorer_timeout_sec or 1800,
    )


def reference(contents: str | None) -> ReferenceOutput | None:
    """Kind of a reference output, which the wire leaves open: a patch if it looks like a patch, else a script."""
    if not (contents or "").strip():
        return None
    return ReferenceOutput.model_construct(
        type="patch" if _PATCH.search(contents or "") else "script", contents=contents
    )
