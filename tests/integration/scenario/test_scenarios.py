"""Scenarios through the official client: making, finding, changing, archiving."""

import uuid
from functools import partial
from typing import Any, cast

import pytest
from runloop_api_client import APIStatusError, BadRequestError, ConflictError, NotFoundError, Runloop

from tests.commands import loopyard
from tests.integration.scenario.definitions import bash, checked, command, scenario
from tests.serving import ServerProcess


def _error(error: APIStatusError) -> dict[str, Any]:
    return error.response.json()


@pytest.mark.semantic
def test_what_is_created_is_retrieved(client: Runloop) -> None:
    made = client.scenarios.create(
        name="whole",
        input_context={"problem_statement": "Do it.", "additional_context": {"a": [1, None, {"b": "ü"}]}},
        scoring_contract={
            "scoring_function_parameters": [
                bash("b-1", "echo score=1", 0.25),
                command("c_2", "true", 0.25),
                checked("t3", "sh t.sh", {"t.sh": "exit 0"}, 0.5),
            ]
        },
        environment_parameters={
            "working_directory": "/work",
            "launch_parameters": {"resource_size_request": "X_SMALL"},
        },
        metadata={"team": "a"},
        reference_output="diff",
        required_environment_variables=["A"],
        required_secret_names=["S"],
        scorer_timeout_sec=7,
        validation_type="FORWARD",
    )
    assert made == client.scenarios.retrieve(made.id)
    assert (made.name, made.status, made.is_public, made.validation_type) == ("whole", "active", False, "FORWARD")
    assert made.input_context.additional_context == {"a": [1, None, {"b": "ü"}]}
    assert [function.weight for function in made.scoring_contract.scoring_function_parameters] == [0.25, 0.25, 0.5]
    assert made.environment is not None
    assert made.environment.working_directory == "/work"
    assert (made.metadata, made.reference_output, made.scorer_timeout_sec) == ({"team": "a"}, "diff", 7)
    assert (made.required_environment_variables, made.required_secret_names) == (["A"], ["S"])


@pytest.mark.semantic
def test_what_is_left_out_has_its_documented_default(client: Runloop) -> None:
    made = client.scenarios.create(**scenario())
    assert made.scorer_timeout_sec == 1800
    assert (made.metadata, made.required_environment_variables, made.required_secret_names) == ({}, [], [])
    assert (made.environment, made.reference_output) == (None, None)


@pytest.mark.semantic
def test_an_update_changes_what_is_given_and_empty_clears(client: Runloop) -> None:
    made = client.scenarios.create(
        **scenario(metadata={"a": "b"}, reference_output="x", required_secret_names=["S"], validation_type="REVERSE")
    )
    changed = client.scenarios.update(made.id, name="new", input_context={"problem_statement": "Other."})
    assert (changed.name, changed.input_context.problem_statement) == ("new", "Other.")
    assert (changed.metadata, changed.reference_output) == ({"a": "b"}, "x")
    assert changed.scoring_contract == made.scoring_contract
    cleared = client.scenarios.update(
        made.id,
        metadata={},
        reference_output="",
        required_secret_names=[],
        environment_parameters={},
        extra_body={"validation_type": ""},
    )
    assert (cleared.metadata, cleared.reference_output, cleared.required_secret_names) == ({}, None, [])
    assert (cleared.environment, cleared.validation_type) == (None, "UNSPECIFIED")
    assert client.scenarios.update(made.id) == cleared


@pytest.mark.semantic
def test_an_archived_scenario_is_kept_but_not_listed_changed_or_run(client: Runloop) -> None:
    name = uuid.uuid4().hex
    made = client.scenarios.create(**scenario(name=name))
    assert client.scenarios.archive(made.id).status == "archived"
    assert client.scenarios.archive(made.id).status == "archived"
    assert client.scenarios.retrieve(made.id).status == "archived"
    assert client.scenarios.list(name=name).scenarios == []
    with pytest.raises(ConflictError):
        client.scenarios.update(made.id, name="x")
    with pytest.raises(ConflictError):
        client.scenarios.start_run(scenario_id=made.id)


@pytest.mark.semantic
def test_lists_are_filtered_and_paged(client: Runloop) -> None:
    name = uuid.uuid4().hex
    made = [client.scenarios.create(**scenario(name=f"{name} {end}", validation_type="EVALUATION")) for end in "AB"]
    assert [found.id for found in client.scenarios.list(search=name.upper())] == [made[1].id, made[0].id]
    assert [found.id for found in client.scenarios.list(name=f"{name} A")] == [made[0].id]
    assert [found.id for found in client.scenarios.list(name=name)] == []
    assert [found.id for found in client.scenarios.list(search=made[0].id)] == [made[0].id]
    assert [found.id for found in client.scenarios.list(search=name, validation_type="FORWARD")] == []
    page = client.scenarios.list(search=name, limit=1, validation_type="EVALUATION")
    assert (len(page.scenarios), page.has_more, page.total_count) == (1, True, 2)
    assert [found.id for found in page] == [made[1].id, made[0].id]
    assert client.scenarios.list(search=name, include_total_count=False).total_count is None
    assert client.scenarios.list(benchmark_id="bmk_none").scenarios == []
    assert client.scenarios.list_public(search=name).scenarios == []


def test_what_the_operator_publishes_is_in_the_public_list(client: Runloop, server: ServerProcess) -> None:
    name = uuid.uuid4().hex
    made = [client.scenarios.create(**scenario(name=f"{name} {end}")) for end in "ABC"]
    publish = partial(loopyard, "scenario", "publish", "--data-dir", str(server.data_dir))

    def public(**query: Any) -> list[str]:
        return [found.id for found in client.scenarios.list_public(**query)]

    for one in made:
        publish(one.id).check_returncode()
    assert public(search=name) == [one.id for one in reversed(made)]
    assert public(name=f"{name} A") == [made[0].id]
    page = client.scenarios.list_public(search=name, limit=1)
    assert ([one.id for one in page.scenarios], page.has_more, page.total_count) == ([made[2].id], True, 3)
    assert client.scenarios.retrieve(made[0].id).is_public
    publish(made[1].id, "--withdraw").check_returncode()
    client.scenarios.archive(made[2].id)
    assert public(search=name) == [made[0].id]
    for wrong in ("scn_none", made[2].id):
        failed = publish(wrong)
        assert (failed.returncode, failed.stdout) == (1, "")
        assert wrong in failed.stderr


@pytest.mark.semantic
def test_what_a_scenario_requires_must_be_given(client: Runloop) -> None:
    secret = f"S{uuid.uuid4().hex}"
    made = client.scenarios.create(
        **scenario(required_environment_variables=["MODEL", "REGION"], required_secret_names=[secret])
    )
    client.secrets.create(name=secret, value="hidden")
    given = {"MODEL": "m", "REGION": "r"}
    refused: list[tuple[Any, str]] = [
        ({}, "runProfile.envVars"),
        ({"env_vars": {"MODEL": "m"}, "secrets": {"KEY": secret}}, "runProfile.envVars"),
        ({"env_vars": given}, "runProfile.secrets"),
    ]
    for profile, field in refused:
        with pytest.raises(BadRequestError) as raised:
            client.scenarios.start_run(scenario_id=made.id, run_profile=profile)
        assert _error(raised.value)["field"] == field
    run = client.scenarios.start_run(scenario_id=made.id, run_profile={"env_vars": given, "secrets": {"KEY": secret}})
    assert (run.environment_variables, run.secrets_provided) == (given, {"KEY": secret})
    client.scenarios.runs.cancel(run.id)
    client.scenarios.update(made.id, required_environment_variables=[], required_secret_names=[])
    client.scenarios.runs.cancel(client.scenarios.start_run(scenario_id=made.id).id)


@pytest.mark.semantic
def test_a_repeated_request_makes_one_scenario(client: Runloop) -> None:
    key = uuid.uuid4().hex
    made = {client.scenarios.create(**scenario(), extra_headers={"x-request-id": key}).id for _ in range(3)}
    assert len(made) == 1


FUNCTIONS = "scoring_contract.scoring_function_parameters"


@pytest.mark.semantic
@pytest.mark.parametrize(
    ("functions", "field"),
    cast(
        "list[tuple[list[Any], str]]",
        [
            ([bash("a", "x", 0.5), bash("b", "x", 0.4)], f"{FUNCTIONS}.1.weight"),
            ([bash("a", "x", 0.5), bash("a", "x", 0.5)], f"{FUNCTIONS}.1.name"),
            ([bash("a", "x", 1.5)], f"{FUNCTIONS}.0.weight"),
            ([bash("a", "x", 1.0), bash("b", "x", -1.0)], f"{FUNCTIONS}.1.weight"),
            ([bash("a b", "x")], f"{FUNCTIONS}.0.name"),
            ([bash("a\n", "x")], f"{FUNCTIONS}.0.name"),
            ([bash("", "x")], f"{FUNCTIONS}.0.name"),
            ([bash("a", "")], f"{FUNCTIONS}.0.scorer.bash_script"),
            ([bash("a", "\x00")], f"{FUNCTIONS}.0.scorer.bash_script"),
            ([command("a", "")], f"{FUNCTIONS}.0.scorer.command"),
            ([checked("a", "x", {"dir/": "x"})], f"{FUNCTIONS}.0.scorer.test_files.0.file_path"),
            ([{"name": "a", "weight": 1, "scorer": {"type": "guess"}}], f"{FUNCTIONS}.0.scorer.type"),
            ([{"name": "a", "weight": 1, "scorer": {}}], f"{FUNCTIONS}.0.scorer.type"),
            ([{"name": "a", "weight": 1}], f"{FUNCTIONS}.0.scorer"),
            ([], FUNCTIONS),
        ],
    ),
)
def test_scoring_functions_that_cannot_score_are_refused_by_field(
    client: Runloop, functions: list[dict[str, Any]], field: str
) -> None:
    body = scenario()
    body["scoring_contract"] = {"scoring_function_parameters": functions}
    made = client.scenarios.create(**scenario())
    for call in (
        lambda: client.scenarios.create(**body),
        lambda: client.scenarios.update(made.id, scoring_contract=body["scoring_contract"]),
    ):
        with pytest.raises(BadRequestError) as raised:
            call()
        assert _error(raised.value)["field"] == field
    assert client.scenarios.retrieve(made.id) == made


@pytest.mark.semantic
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "  "}, "name"),
        ({"scorer_timeout_sec": 0}, "scorer_timeout_sec"),
        ({"validation_type": "SIDEWAYS"}, "validation_type"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        (
            {"environment_parameters": {"launch_parameters": {"resource_size_request": "HUGE"}}},
            "environment_parameters.launch_parameters.resource_size_request",
        ),
        (
            {"environment_parameters": {"launch_parameters": {"required_services": ["docker"]}}},
            "environment_parameters.launch_parameters.required_services",
        ),
        (
            {"environment_parameters": {"blueprint_id": "a", "snapshot_id": "b"}},
            "environment_parameters",
        ),
    ],
)
def test_bad_fields_are_refused_by_name(client: Runloop, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequestError) as raised:
        client.scenarios.create(**scenario(**fields))
    assert _error(raised.value)["field"] == field


@pytest.mark.semantic
def test_an_unknown_blueprint_snapshot_or_policy_is_not_found(client: Runloop) -> None:
    for name in ("blueprint_id", "snapshot_id", "launch_parameters.network_policy_id"):
        first, _, second = name.partition(".")
        with pytest.raises(NotFoundError) as raised:
            client.scenarios.create(**scenario(environment_parameters={first: {second: "none"} if second else "none"}))
        assert _error(raised.value)["field"] == f"environment_parameters.{name}"


@pytest.mark.semantic
def test_unknown_ids_are_not_found(client: Runloop) -> None:
    for call in (client.scenarios.retrieve, client.scenarios.update, client.scenarios.archive):
        for unknown in ("scn_none", "x" * 1000):
            with pytest.raises(NotFoundError):
                call(unknown)
