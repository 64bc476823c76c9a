"""Requests that cannot be: each is refused at once, naming the field, and nothing is made."""

from typing import Any

import pytest
from runloop_api_client import APIStatusError, Runloop

from tests.integration.benchmark_job.making import agent, make_scenario
from tests.integration.scenario.definitions import scenario

LIST = "scenario_ids"


@pytest.fixture(scope="module")
def known(server: Any) -> dict[str, str]:
    """Ids by what the tests call them."""
    with server.client() as client:
        archived = make_scenario(client, "archived")
        needy = client.scenarios.create(
            **scenario(name="needy", required_environment_variables=["NEEDED"], reference_output="true")
        ).id
        unsolved = client.scenarios.create(**scenario(name="unsolved")).id
        found = {"good": make_scenario(client), "archived": archived, "needy": needy, "unsolved": unsolved}
        found["empty"] = client.benchmarks.create(name="empty", scenario_ids=[archived]).id
        client.scenarios.archive(archived)
        return found


def _spec(**fields: Any) -> dict[str, Any]:
    return {"type": "scenarios", LIST: ["good"], "agent_configs": [agent()], **fields}


def _by(*agents: Any) -> dict[str, Any]:
    return _spec(agent_configs=list(agents))


def _set(**fields: Any) -> dict[str, Any]:
    return _spec(orchestrator_config=fields)


CASES: list[tuple[Any, int, str]] = [
    (None, 400, "spec"),
    ({"type": "unheard"}, 400, "spec.type"),
    (_spec(scenario_ids=[]), 400, "spec.scenario_ids"),
    (_spec(scenario_ids=["good", "good"]), 400, "spec.scenario_ids.1"),
    (_spec(scenario_ids=["good", "scn_unknown"]), 404, "spec.scenario_ids.1"),
    (_spec(scenario_ids=["archived"]), 409, "spec.scenario_ids.0"),
    ({"type": "benchmark", "benchmark_id": "bmk_unknown", "agent_configs": [agent()]}, 404, "spec.benchmark_id"),
    ({"type": "benchmark", "benchmark_id": "empty", "agent_configs": [agent()]}, 400, "spec.benchmark_id"),
    ({"type": "benchmark", "agent_configs": [agent()]}, 400, "spec.benchmark_id"),
    (_by(), 400, "spec.agent_configs"),
    (_by({"name": "oracle"}), 400, "spec.agent_configs.0.type"),
    (_by(agent(), agent("unheard-of")), 404, "spec.agent_configs.1.name"),
    (_by(agent(" ")), 400, "spec.agent_configs.0.name"),
    (_by(agent(agent_id="agt_unknown")), 404, "spec.agent_configs.0.agent_id"),
    (_by(agent(timeout_seconds=0)), 400, "spec.agent_configs.0.timeout_seconds"),
    (_by(agent(timeout_seconds=86_401)), 400, "spec.agent_configs.0.timeout_seconds"),
    (_by(agent(model_name="some/model")), 400, "spec.agent_configs.0.model_name"),
    (_by(agent(kwargs={"steps": "3"})), 400, "spec.agent_configs.0.kwargs"),
    (_by(agent("mini-swe-agent", model_name="m")), 400, "spec.agent_configs.0.agent_environment"),
    (_by(agent("tiny")), 400, "spec.agent_configs.0.agent_environment"),
    (
        _by(agent(agent_environment={"secrets": {"KEY": "sec_unknown"}})),
        404,
        "spec.agent_configs.0.agent_environment.secrets.KEY",
    ),
    (_spec(scenario_ids=["needy"]), 400, "spec.agent_configs.0.agent_environment.environment_variables"),
    (
        _by(agent(agent_environment={"environment_variables": {"BIG": "x" * 140_000}})),
        400,
        "spec.agent_configs.0.agent_environment.environment_variables",
    ),
    (_by(agent("tiny", kwargs={"a": "x" * 140_000})), 400, "spec.agent_configs.0.kwargs"),
    (_spec(scenario_ids=["unsolved"]), 400, "spec.agent_configs.0.name"),
    (_set(n_attempts=-1), 400, "spec.orchestrator_config.n_attempts"),
    (_set(n_attempts=21), 400, "spec.orchestrator_config.n_attempts"),
    (_set(n_concurrent_trials=0), 400, "spec.orchestrator_config.n_concurrent_trials"),
    (_set(n_concurrent_trials=1025), 400, "spec.orchestrator_config.n_concurrent_trials"),
    (_set(timeout_multiplier=0), 400, "spec.orchestrator_config.timeout_multiplier"),
]


@pytest.mark.semantic
@pytest.mark.parametrize(("spec", "status", "field"), CASES, ids=[f"{case[2]}-{n}" for n, case in enumerate(CASES)])
def test_a_job_that_cannot_be_is_refused(
    api: Runloop, known: dict[str, str], spec: Any, status: int, field: str
) -> None:
    named = dict(spec or {})
    for key in (LIST, "benchmark_id"):
        if isinstance(named.get(key), list):
            named[key] = [known.get(each, each) for each in named[key]]
        elif key in named:
            named[key] = known.get(named[key], named[key])
    before = api.benchmark_jobs.list(limit=1).total_count, api.benchmark_runs.list(limit=1).total_count
    with pytest.raises(APIStatusError) as refused:
        api.benchmark_jobs.create(name="refused", spec=named or None)  # type: ignore[arg-type]
    body: Any = refused.value.body
    assert (refused.value.status_code, body["field"]) == (status, field), body
    assert field in body["message"] or status != 400
    assert (api.benchmark_jobs.list(limit=1).total_count, api.benchmark_runs.list(limit=1).total_count) == before


@pytest.mark.semantic
def test_a_name_that_is_blank_is_refused(api: Runloop) -> None:
    with pytest.raises(APIStatusError) as refused:
        api.benchmark_jobs.create(name=" ")
    assert (refused.value.status_code, refused.value.body["field"]) == (400, "name")  # type: ignore[index]


@pytest.mark.semantic
def test_a_job_that_is_not_there_is_not_found(api: Runloop) -> None:
    with pytest.raises(APIStatusError) as missing:
        api.benchmark_jobs.retrieve("bmj_unknown")
    assert missing.value.status_code == 404
