"""What each agent does with a scenario."""

from pathlib import Path

import pytest

from loopyard.agent.invocation import STATEMENT_FILE
from loopyard.bench.agents import LONGEST_VARIABLE, CommandAgent, Nop, Oracle, command_agents
from loopyard.bench.definition import ReferenceOutput, ScenarioDefinition
from loopyard.bench.loader import FolderFault, load
from loopyard.bench.plan import plan
from tests.integration.bench.folders import write_tiny


@pytest.fixture
def scenario(tmp_path: Path) -> ScenarioDefinition:
    write_tiny(tmp_path)
    return load(tmp_path).scenarios[0]


def test_nop_does_nothing_and_should_score_nothing(scenario: ScenarioDefinition) -> None:
    assert Nop().turn(scenario) is None
    assert Nop().expected_score == 0.0


def test_oracle_runs_a_script_as_it_is(scenario: ScenarioDefinition) -> None:
    assert Oracle().turn(scenario).command == "echo hello > out.txt"
    assert Oracle().expected_score == 1.0


def test_oracle_applies_a_patch_by_git(scenario: ScenarioDefinition) -> None:
    patched = scenario.model_copy(update={"reference_output": ReferenceOutput(type="patch", contents="--- a\n+++ b")})
    turn = Oracle().turn(patched)
    [(path, contents)] = turn.files.items()
    assert turn.command.endswith(f"\napply_patch {path}")
    assert contents == "--- a\n+++ b\n"


@pytest.mark.parametrize("patch", ["--- a\n+++ b\n \n\n", "--- a\r\n+++ b\r\n"])
def test_oracle_keeps_the_bytes_of_a_patch(scenario: ScenarioDefinition, patch: str) -> None:
    patched = scenario.model_copy(update={"reference_output": ReferenceOutput(type="patch", contents=patch)})
    assert list(Oracle().turn(patched).files.values()) == [patch]


def test_a_command_gets_the_problem_as_a_variable_and_as_a_file(scenario: ScenarioDefinition) -> None:
    turn = CommandAgent("command", "solve").turn(scenario)
    assert turn.command == "solve"
    assert turn.files == {STATEMENT_FILE: scenario.problem_statement}
    assert turn.environment["PROBLEM_STATEMENT"] == scenario.problem_statement
    assert turn.environment["PROBLEM_STATEMENT_FILE"] == STATEMENT_FILE


@pytest.mark.parametrize("letter", ["x", "ä"])
def test_a_problem_too_long_for_a_variable_is_pointed_to(scenario: ScenarioDefinition, letter: str) -> None:
    fits = letter * (LONGEST_VARIABLE // len(letter.encode()))
    for statement, in_variable in ((fits, True), (fits + letter, False)):
        turn = CommandAgent("c", "solve").turn(scenario.model_copy(update={"problem_statement": statement}))
        assert turn.files[STATEMENT_FILE] == statement
        value = turn.environment["PROBLEM_STATEMENT"]
        assert (value == statement) is in_variable
        assert in_variable or STATEMENT_FILE in value


def test_several_commands_have_names_of_their_own() -> None:
    assert [agent.name for agent in command_agents(["a"])] == ["command"]
    assert [agent.name for agent in command_agents(["a", "b"])] == ["command-1", "command-2"]
    assert command_agents([]) == []


def test_a_plan_has_every_agent_on_every_scenario(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_tiny(tmp_path, name)
    trials = plan(load(tmp_path), [Oracle(), Nop()])
    assert [(trial.scenario.name, trial.agent.name) for trial in trials] == [
        ("a", "oracle"), ("a", "nop"), ("b", "oracle"), ("b", "nop")
    ]  # fmt: skip


def test_what_cannot_be_run_is_told_before_anything_starts(tmp_path: Path) -> None:
    reference = '[reference_output]\ntype = "script"\ncontents = "echo hello > out.txt"\n'
    write_tiny(tmp_path, "a", replace_1=reference, by_1="")
    write_tiny(
        tmp_path, "b", replace_1="[environment]", by_1='required_environment_variables = ["TOKEN"]\n[environment]'
    )
    suite = load(tmp_path)
    with pytest.raises(FolderFault) as caught:
        plan(suite, [Oracle(), Nop()], {})
    assert len(caught.value.faults) == 2
    assert "'a' has no [reference_output]" in caught.value.faults[0]
    assert "'b' needs the variable TOKEN" in caught.value.faults[1]
    trials = plan(suite, [Nop()], {"TOKEN": "t", "OTHER": "o"})
    assert [dict(trial.environment) for trial in trials] == [{}, {"TOKEN": "t"}]
