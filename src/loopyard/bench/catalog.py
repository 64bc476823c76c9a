"""Makes the server's scenarios the same as the folder's: one by each name, never a second one."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from runloop_api_client import AsyncRunloop, BadRequestError, UnprocessableEntityError
from runloop_api_client.types import ScenarioView

from loopyard.bench.archive import BadFolder
from loopyard.bench.definition import ScenarioDefinition
from loopyard.bench.loader import FolderFault
from loopyard.bench.origins import NotBuilt, Origin, Origins
from loopyard.bench.wire_errors import describe

_PAGE = 100


_OWN_KEYS = {"dockerfile", "build_context", "build_args", "allowed_hostnames"}
"""Of the environment: they become a blueprint and a network policy, whose ids the server gets."""


def wire_form(scenario: ScenarioDefinition, origin: Origin | None = None) -> dict[str, Any]:
    """The body that creates the scenario; sent as an update, it replaces every part of an older one. `origin` is what
    was made on the server for its Dockerfile and its allowed hosts."""
    environment = scenario.environment.model_dump(exclude_none=True, exclude=_OWN_KEYS)
    if origin is not None and origin.blueprint_id is not None:
        environment["blueprint_id"] = origin.blueprint_id
    if origin is not None and origin.network_policy_id is not None:
        environment.setdefault("launch_parameters", {})["network_policy_id"] = origin.network_policy_id
    return {
        "name": scenario.name,
        "input_context": {
            "problem_statement": scenario.problem_statement,
            "additional_context": scenario.additional_context,
        },
        "environment_parameters": environment,
        "scoring_contract": {
            "scoring_function_parameters": [
                function.model_dump(exclude_none=True) for function in scenario.scoring_functions
            ]
        },
        "reference_output": scenario.reference_output.contents if scenario.reference_output else "",
        "metadata": scenario.metadata,
        "required_environment_variables": scenario.required_environment_variables,
        "required_secret_names": scenario.required_secret_names,
        "scorer_timeout_sec": scenario.scorer_timeout_sec,
        "validation_type": scenario.validation_type,
    }


def same_content(body: dict[str, Any], view: ScenarioView) -> bool:
    """True if the server's scenario already equals the body."""
    held = view.model_dump(mode="json", by_alias=True)
    held["environment_parameters"] = held.pop("environment", None)
    return _plain({key: body[key] for key in body}) == _plain({key: held.get(key) for key in body})


async def publish(client: AsyncRunloop, scenarios: Sequence[ScenarioDefinition]) -> dict[str, str]:
    """Build the blueprints that are missing, create what is missing and update what differs. Returns the scenarios' ids
    by name.

    Raises:
        FolderFault: The server does not take some of them; all are told.
        APIError: The server cannot be reached, or refuses the key.
    """
    faults: list[str] = []
    origins = Origins(client)
    ids = await asyncio.gather(*(_publish_one(client, origins, scenario, faults) for scenario in scenarios))
    if faults:
        raise FolderFault(faults)
    return {scenario.name: scenario_id for scenario, scenario_id in zip(scenarios, ids, strict=True)}


async def _publish_one(client: AsyncRunloop, origins: Origins, scenario: ScenarioDefinition, faults: list[str]) -> str:
    try:
        return await _create_or_update(client, wire_form(scenario, await origins.of(scenario.environment)))
    except (NotBuilt, BadFolder) as error:
        faults.append(f"scenario {scenario.name!r}: {error}")
        return ""
    except (BadRequestError, UnprocessableEntityError) as error:
        faults.append(f"scenario {scenario.name!r}: the server does not take it: {describe(error)}")
        return ""


async def _create_or_update(client: AsyncRunloop, body: dict[str, Any]) -> str:
    async for view in client.scenarios.list(name=body["name"], limit=_PAGE):
        if view.name == body["name"] and view.status == "active":
            if not same_content(body, view):
                await client.scenarios.update(view.id, **body)
            return view.id
    return (await client.scenarios.create(**body)).id


def _plain(value: Any) -> Any:
    """The value without what stands for nothing: None, and empty text, lists and tables."""
    if isinstance(value, dict):
        table = {key: _plain(item) for key, item in cast("dict[str, Any]", value).items()}
        return {key: item for key, item in table.items() if item not in (None, "", [], {})}
    if isinstance(value, list):
        return [_plain(item) for item in cast("list[Any]", value)]
    return value
