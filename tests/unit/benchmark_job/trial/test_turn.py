"""What agents do in a devbox."""

import pytest

from loopyard.agent.catalog.loader import catalog
from loopyard.agent.invocation import CONTEXT_FILE, REFERENCE_FILE, STATEMENT_FILE, IncompatibleAgent
from loopyard.benchmark_job.spec import AgentConfig
from loopyard.benchmark_job.trial.turn import turn
from loopyard.scenario.models import Scenario


def _scenario(reference: str | None = None, **context: object) -> Scenario:
    return Scenario(input_context={"problem_statement": "Solve it.", **context}, reference_output=reference)


def _config(name: str, **fields: object) -> AgentConfig:
    return AgentConfig.model_validate({"type": "job_agent", "name": name, **fields})


def test_an_agent_gets_the_problem_statement_in_a_file() -> None:
    config = _config("mini-swe-agent", model_name="openai/some model", kwargs={"cost_limit": "3"})
    what = turn(catalog()["mini-swe-agent"], config, _scenario())
    assert what.files == {STATEMENT_FILE: "Solve it.\n"}
    assert STATEMENT_FILE in what.command
    assert "'openai/some model'" in what.command
    assert "--cost-limit 3" in what.command


def test_additional_context_is_in_a_file_of_its_own() -> None:
    what = turn(catalog()["nop"], _config("nop"), _scenario(additional_context={"hint": "ü"}))
    assert what.files[CONTEXT_FILE] == '{\n  "hint": "ü"\n}\n'


def test_the_oracle_gets_the_reference_output() -> None:
    what = turn(catalog()["oracle"], _config("oracle"), _scenario("echo done"))
    assert what.files == {REFERENCE_FILE: "echo done\n"}


@pytest.mark.parametrize("reference", [None, ""])
def test_the_oracle_is_not_suited_where_there_is_no_reference_output(reference: str | None) -> None:
    with pytest.raises(IncompatibleAgent):
        turn(catalog()["oracle"], _config("oracle"), _scenario(reference))
