"""The server has one scenario by each name, and it is what the folder says."""

import uuid
from pathlib import Path

import pytest
from runloop_api_client import AsyncRunloop

from loopyard.bench.catalog import publish, same_content, wire_form
from loopyard.bench.loader import FolderFault, load
from tests.integration.bench.folders import write_scenario, write_tiny

pytestmark = pytest.mark.anyio


@pytest.fixture
def name() -> str:
    return f"catalog-{uuid.uuid4().hex[:8]}"


@pytest.mark.semantic
async def test_what_is_published_again_is_updated_and_not_doubled(
    async_client: AsyncRunloop, tmp_path: Path, name: str
) -> None:
    write_tiny(tmp_path, name)
    first = await publish(async_client, load(tmp_path).scenarios)
    held = await async_client.scenarios.retrieve(first[name])
    [scenario] = load(tmp_path).scenarios
    assert same_content(wire_form(scenario), held)
    assert await publish(async_client, [scenario]) == first

    write_tiny(
        tmp_path, name, replace_1="Write the word", by_1="Please write the word", replace_2="echo hello", by_2=":"
    )
    [changed] = load(tmp_path).scenarios
    assert not same_content(wire_form(changed), held)
    assert await publish(async_client, [changed]) == first
    held = await async_client.scenarios.retrieve(first[name])
    assert same_content(wire_form(changed), held)
    assert held.input_context.problem_statement.startswith("Please")
    assert [one.id async for one in async_client.scenarios.list(name=name)] == [first[name]]


@pytest.mark.semantic
async def test_what_the_folder_no_longer_has_is_cleared(async_client: AsyncRunloop, tmp_path: Path, name: str) -> None:
    more = """
scorer_timeout_sec = 77
metadata = { team = "a" }
required_secret_names = ["KEY"]
[environment]"""
    write_tiny(tmp_path, name, replace_1="\n[environment]", by_1=more)
    ids = await publish(async_client, load(tmp_path).scenarios)
    held = await async_client.scenarios.retrieve(ids[name])
    assert (held.scorer_timeout_sec, held.metadata, held.required_secret_names) == (77, {"team": "a"}, ["KEY"])
    reference = '[reference_output]\ntype = "script"\ncontents = "echo hello > out.txt"\n'
    write_tiny(tmp_path, name, replace_1=reference, by_1="")
    assert await publish(async_client, load(tmp_path).scenarios) == ids
    held = await async_client.scenarios.retrieve(ids[name])
    assert (held.scorer_timeout_sec, held.metadata) == (1800, {})
    assert not held.required_secret_names
    assert not held.reference_output


@pytest.mark.semantic
async def test_a_scenario_that_was_archived_is_made_anew(async_client: AsyncRunloop, tmp_path: Path, name: str) -> None:
    write_tiny(tmp_path, name)
    first = await publish(async_client, load(tmp_path).scenarios)
    await async_client.scenarios.archive(first[name])
    second = await publish(async_client, load(tmp_path).scenarios)
    assert second[name] != first[name]


@pytest.mark.semantic
async def test_every_scenario_that_the_server_refuses_is_told(
    async_client: AsyncRunloop, tmp_path: Path, name: str
) -> None:
    for letter in "ab":
        text = "[environment]\nblueprint_id = 'bpt_x'\nsnapshot_id = 'snp_x'"
        write_tiny(tmp_path, f"{name}-{letter}", replace_1="[environment]", by_1=text)
    with pytest.raises(FolderFault) as caught:
        await publish(async_client, load(tmp_path).scenarios)
    assert sorted(line.split("'")[1] for line in caught.value.faults) == [f"{name}-a", f"{name}-b"]
    assert all("the server does not take it" in line for line in caught.value.faults)


@pytest.mark.semantic
async def test_every_real_scenario_comes_back_as_it_was_given(async_client: AsyncRunloop) -> None:
    scenarios = load(Path(__file__).parents[3] / "examples" / "real-bugs").scenarios
    ids = await publish(async_client, scenarios)
    for scenario in scenarios:
        assert same_content(wire_form(scenario), await async_client.scenarios.retrieve(ids[scenario.name]))


@pytest.mark.semantic
async def test_all_parts_of_a_scenario_reach_the_server(async_client: AsyncRunloop, tmp_path: Path, name: str) -> None:
    text = f"""
name = "{name}"
problem_statement = "p"
additional_context = {{ hints = ["a", 1, true] }}
required_environment_variables = ["A_VARIABLE"]
validation_type = "FORWARD"

[environment]
working_directory = "/home/user/w"

[environment.launch_parameters]
resource_size_request = "CUSTOM_SIZE"
custom_cpu_cores = 1
custom_gb_memory = 2
launch_commands = ["mkdir w"]
keep_alive_time_seconds = 600

[[scoring_functions]]
name = "a"
weight = 0.25
scorer = {{ type = "command_scorer", command = "true" }}

[[scoring_functions]]
name = "b"
weight = 0.75
[scoring_functions.scorer]
type = "test_based_scorer"
test_command = "true"
test_files = [{{ file_path = "t", file_contents = "" }}]
"""
    write_scenario(tmp_path, text)
    [scenario] = load(tmp_path).scenarios
    held = await async_client.scenarios.retrieve((await publish(async_client, [scenario]))[name])
    assert same_content(wire_form(scenario), held)
    assert held.input_context.additional_context == {"hints": ["a", 1, True]}
    assert held.environment is not None
    assert held.environment.launch_parameters is not None
    assert held.environment.launch_parameters.launch_commands == ["mkdir w"]
    assert [function.weight for function in held.scoring_contract.scoring_function_parameters] == [0.25, 0.75]
