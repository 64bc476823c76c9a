"""Benchmarks through the official client: making, finding, changing."""

import uuid
from functools import partial
from typing import Any

import pytest
from runloop_api_client import APIStatusError, Runloop

from tests.commands import loopyard
from tests.integration.scenario.definitions import scenario
from tests.serving import ServerProcess


def _scenarios(api: Runloop, number: int) -> list[str]:
    return [api.scenarios.create(**scenario(name=f"part {index}")).id for index in range(number)]


@pytest.mark.semantic
def test_what_is_created_is_retrieved(api: Runloop) -> None:
    parts = _scenarios(api, 2)
    made = api.benchmarks.create(
        name="whole",
        attribution="someone",
        description="what it is",
        metadata={"team": "a"},
        required_environment_variables=["A"],
        required_secret_names=["S"],
        scenario_ids=[parts[1], parts[0], parts[1]],
    )
    assert made == api.benchmarks.retrieve(made.id)
    assert (made.name, made.status, made.is_public) == ("whole", "active", False)
    assert (made.attribution, made.description, made.metadata) == ("someone", "what it is", {"team": "a"})
    assert (made.required_environment_variables, made.required_secret_names) == (["A"], ["S"])
    assert made.scenario_ids == [parts[1], parts[0]]


@pytest.mark.semantic
def test_what_is_left_out_is_empty(api: Runloop) -> None:
    made = api.benchmarks.create(name="bare")
    assert (made.attribution, made.description, made.metadata, made.scenario_ids) == (None, None, {}, [])
    assert (made.required_environment_variables, made.required_secret_names) == ([], [])


@pytest.mark.semantic
def test_an_update_changes_what_is_given_and_empty_clears(api: Runloop) -> None:
    parts = _scenarios(api, 3)
    made = api.benchmarks.create(
        name="old",
        attribution="a",
        description="d",
        metadata={"k": "v"},
        required_environment_variables=["A"],
        required_secret_names=["S"],
        scenario_ids=parts[:2],
    )
    changed = api.benchmarks.update(made.id, name="new", scenario_ids=[parts[2], parts[0]])
    assert (changed.name, changed.scenario_ids) == ("new", [parts[2], parts[0]])
    assert (changed.attribution, changed.description, changed.metadata) == ("a", "d", {"k": "v"})
    assert (changed.required_environment_variables, changed.required_secret_names) == (["A"], ["S"])
    assert api.benchmarks.update(made.id) == changed
    cleared = api.benchmarks.update(
        made.id,
        attribution="",
        description="",
        metadata={},
        required_environment_variables=[],
        required_secret_names=[],
        scenario_ids=[],
    )
    assert (cleared.attribution, cleared.description, cleared.metadata, cleared.scenario_ids) == (None, None, {}, [])
    assert (cleared.required_environment_variables, cleared.required_secret_names) == ([], [])
    assert api.benchmarks.retrieve(made.id) == cleared


@pytest.mark.semantic
def test_scenarios_are_added_at_the_end_and_removed(api: Runloop) -> None:
    parts = _scenarios(api, 4)
    made = api.benchmarks.create(name="parts", scenario_ids=parts[:2])
    changed = api.benchmarks.update_scenarios(made.id, scenarios_to_add=[parts[3], parts[0], parts[2]])
    assert changed.scenario_ids == [parts[0], parts[1], parts[3], parts[2]]
    changed = api.benchmarks.update_scenarios(
        made.id, scenarios_to_add=[parts[2]], scenarios_to_remove=[parts[0], "scn_none"]
    )
    assert changed.scenario_ids == [parts[1], parts[3], parts[2]]
    assert api.benchmarks.update_scenarios(made.id).scenario_ids == changed.scenario_ids
    assert api.benchmarks.retrieve(made.id) == changed


@pytest.mark.semantic
def test_definitions_are_the_scenarios_in_pages(api: Runloop) -> None:
    parts = _scenarios(api, 3)
    made = api.benchmarks.create(name="defined", scenario_ids=parts)
    _scenarios(api, 1)
    page = api.benchmarks.definitions(made.id, limit=2)
    assert ([each.id for each in page.scenarios], page.has_more, page.total_count) == ([parts[2], parts[1]], True, 3)
    rest = api.benchmarks.definitions(made.id, limit=2, starting_after=parts[1])
    assert (rest.scenarios, rest.has_more) == ([api.scenarios.retrieve(parts[0])], False)


@pytest.mark.semantic
def test_scenarios_are_listed_by_their_benchmark(api: Runloop) -> None:
    parts = _scenarios(api, 2)
    made = api.benchmarks.create(name="listed", scenario_ids=parts)
    assert [each.id for each in api.scenarios.list(benchmark_id=made.id)] == [parts[1], parts[0]]
    api.scenarios.archive(parts[1])
    assert [each.id for each in api.scenarios.list(benchmark_id=made.id)] == [parts[0]]
    assert [each.status for each in api.benchmarks.definitions(made.id).scenarios] == ["archived", "active"]
    assert api.scenarios.list(benchmark_id="bmk_none").scenarios == []


@pytest.mark.semantic
def test_an_archived_scenario_is_not_added_but_may_stay(api: Runloop) -> None:
    parts = _scenarios(api, 2)
    made = api.benchmarks.create(name="with an archived one", scenario_ids=parts)
    api.scenarios.archive(parts[0])
    assert api.benchmarks.update(made.id, scenario_ids=[parts[1], parts[0]]).scenario_ids == [parts[1], parts[0]]
    api.benchmarks.update_scenarios(made.id, scenarios_to_remove=[parts[0]])
    calls: list[tuple[str, Any]] = [
        ("scenarios_to_add", lambda: api.benchmarks.update_scenarios(made.id, scenarios_to_add=[parts[0]])),
        ("scenario_ids", lambda: api.benchmarks.update(made.id, scenario_ids=[parts[0]])),
        ("scenario_ids", lambda: api.benchmarks.create(name="x", scenario_ids=[parts[0]])),
    ]
    for field, call in calls:
        with pytest.raises(APIStatusError) as raised:
            call()
        assert (raised.value.status_code, raised.value.response.json()["field"]) == (400, field)
    assert api.benchmarks.retrieve(made.id).scenario_ids == [parts[1]]


@pytest.mark.semantic
def test_lists_are_filtered_and_paged(api: Runloop) -> None:
    name = uuid.uuid4().hex
    parts = _scenarios(api, 1)
    made = [api.benchmarks.create(name=f"{name} {end}", scenario_ids=parts) for end in "AB"]
    assert list(api.benchmarks.list(search=name.upper())) == [made[1], made[0]]
    assert [found.id for found in api.benchmarks.list(name=f"{name} A")] == [made[0].id]
    assert [found.id for found in api.benchmarks.list(name=name)] == []
    assert [found.id for found in api.benchmarks.list(search=made[0].id)] == [made[0].id]
    page = api.benchmarks.list(search=name, limit=1)
    assert (len(page.benchmarks), page.has_more, page.total_count) == (1, True, 2)
    assert [found.id for found in page] == [made[1].id, made[0].id]
    assert api.benchmarks.list(search=name, include_total_count=False).total_count is None
    assert api.benchmarks.list_public(search=name).benchmarks == []


def test_what_the_operator_publishes_is_in_the_public_lists_with_its_scenarios(
    api: Runloop, server: ServerProcess
) -> None:
    name = uuid.uuid4().hex
    parts = [api.scenarios.create(**scenario(name=f"{name} {end}")).id for end in "AB"]
    made = api.benchmarks.create(name=name, scenario_ids=parts)
    api.scenarios.archive(parts[1])
    publish = partial(loopyard, "benchmark", "publish", "--data-dir", str(server.data_dir))
    if server.database_url is not None:
        publish = partial(publish, "--database-url", server.database_url)
    publish(made.id).check_returncode()
    assert [found.id for found in api.benchmarks.list_public(name=name)] == [made.id]
    assert [found.id for found in api.scenarios.list_public(search=name)] == parts[:1]
    assert api.benchmarks.retrieve(made.id).is_public
    publish(made.id, "--withdraw").check_returncode()
    assert api.benchmarks.list_public(name=name).benchmarks == []
    failed = publish("bmk_none")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "bmk_none" in failed.stderr


@pytest.mark.semantic
def test_a_repeated_request_makes_one_benchmark(api: Runloop) -> None:
    headers = {"x-request-id": uuid.uuid4().hex}
    assert len({api.benchmarks.create(name="once", extra_headers=headers).id for _ in range(3)}) == 1


@pytest.mark.semantic
@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("/v1/benchmarks", {}, 400, "name"),
        ("/v1/benchmarks", {"name": " "}, 400, "name"),
        ("/v1/benchmarks", {"name": "x", "scenario_ids": ["scn_none"]}, 404, "scenario_ids"),
        ("/v1/benchmarks", {"name": "x", "scenario_ids": "scn_none"}, 400, "scenario_ids"),
        ("/v1/benchmarks", {"name": "x", "required_secret_names": [""]}, 400, "required_secret_names.0"),
        ("/v1/benchmarks/{id}", {"name": ""}, 400, "name"),
        ("/v1/benchmarks/{id}", {"scenario_ids": ["scn_none"]}, 404, "scenario_ids"),
        ("/v1/benchmarks/{id}", {"metadata": {"a": 1}}, 400, "metadata.a"),
        ("/v1/benchmarks/{id}/scenarios", {"scenarios_to_add": ["scn_none"]}, 404, "scenarios_to_add"),
        (
            "/v1/benchmarks/{id}/scenarios",
            {"scenarios_to_add": ["scn_none"], "scenarios_to_remove": ["scn_none"]},
            400,
            "scenarios_to_remove",
        ),
        ("/v1/benchmarks/bmk_none", {"name": "x"}, 404, "id"),
        ("/v1/benchmarks/bmk_none/scenarios", {}, 404, "id"),
    ],
)
def test_bad_changes_are_refused_and_change_nothing(
    api: Runloop, path: str, body: dict[str, Any], status: int, field: str
) -> None:
    made = api.benchmarks.create(name="kept", scenario_ids=_scenarios(api, 1))
    before = api.benchmarks.list(limit=1).total_count
    with pytest.raises(APIStatusError) as raised:
        api.post(path.format(id=made.id), body=body, cast_to=object)
    assert (raised.value.status_code, raised.value.response.json()["field"]) == (status, field)
    assert api.benchmarks.retrieve(made.id) == made
    assert api.benchmarks.list(limit=1).total_count == before
