"""The form that starts a job: what it asks the API, and what it says of what cannot be."""

import ast
import json
import shlex
from typing import Any

import pytest

from loopyard.console.jobs.form import JobForm, equal_of
from loopyard.kit.errors import BadRequest

FULL = {
    "agents": "2",
    "source": "benchmark",
    "benchmark_id": "bmk_1",
    "job_name": "Mine",
    "n_concurrent_trials": "8",
    "n_attempts": "2",
    "timeout_multiplier": "1.5",
    "max_cost_usd": "0.75",
    "max_tokens": "1000000",
    "agent.0.name": "claude-code",
    "agent.0.model": "anthropic/claude-sonnet-4-5",
    "agent.0.timeout": "600",
    "agent.0.secrets": "A_KEY=my key\r\nB=other",
    "agent.0.gateways": "ANTHROPIC=anthropic:secret",
    "agent.0.variables": "X=1=2",
    "agent.0.arguments": "max-turns=50",
    "agent.1.name": "nop",
}
ASKED: dict[str, Any] = {
    "name": "Mine",
    "spec": {
        "type": "benchmark",
        "benchmark_id": "bmk_1",
        "agent_configs": [
            {
                "type": "job_agent",
                "name": "claude-code",
                "model_name": "anthropic/claude-sonnet-4-5",
                "timeout_seconds": 600.0,
                "kwargs": {"max-turns": "50"},
                "agent_environment": {
                    "environment_variables": {"X": "1=2"},
                    "secrets": {"A_KEY": "my key", "B": "other"},
                    "gateways": {"ANTHROPIC": {"gateway": "anthropic", "secret": "secret"}},
                },
            },
            {"type": "job_agent", "name": "nop"},
        ],
        "orchestrator_config": {
            "n_concurrent_trials": 8,
            "n_attempts": 2,
            "timeout_multiplier": 1.5,
            "max_cost_usd": 0.75,
            "max_tokens": 1000000,
        },
    },
}


def test_the_form_asks_what_was_filled_in() -> None:
    form = JobForm.read(FULL)
    assert form.request() == ASKED
    assert form.params().model_dump(exclude_none=True)["spec"]["orchestrator_config"]["max_cost_usd"] == 0.75


def test_scenarios_are_a_list() -> None:
    form = JobForm.read({"source": "scenarios", "scenario_ids": "scn_1, scn_2\nscn_3", "agent.0.name": "nop"})
    assert form.request()["spec"]["scenario_ids"] == ["scn_1", "scn_2", "scn_3"]


def test_the_python_and_the_shell_ask_the_same() -> None:
    request = {**ASKED, "name": 'it\'s "mine" $(id) `x` \n</code><script>'}
    equal = equal_of(request)
    call: Any = next(node for node in ast.walk(ast.parse(equal.python)) if isinstance(node, ast.Call) and node.keywords)
    assert {one.arg: ast.literal_eval(one.value) for one in call.keywords} == request
    words = shlex.split(equal.shell.split("loopyard bench")[0].replace("\\\n", " "))
    assert json.loads(words[words.index("--data-raw") + 1]) == request


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"agents": "0"}, "1 to 100 agents"),
        ({"agents": "1e9"}, "1 to 100 agents"),
        ({"agents": "\u096f"}, "1 to 100 agents"),
        ({"benchmark_id": " "}, "Choose a benchmark"),
        ({"agent.1.name": ""}, "Agent 2"),
        ({"agent.0.timeout": "soon"}, "agent.0.timeout: give a number"),
        ({"agent.0.timeout": "nan"}, "timeout_seconds"),
        ({"n_attempts": "1.5"}, "n_attempts: give a whole number"),
        ({"n_attempts": "-1"}, "n_attempts"),
        ({"max_cost_usd": "1e309"}, "max_cost_usd"),
        ({"agent.0.secrets": "no mark"}, "NAME=value"),
        ({"agent.0.gateways": "A=b"}, "VARIABLE=gateway:secret"),
        ({"agent.0.variables": "A=\x00"}, "NUL"),
        ({"job_name": "x" * 2000}, "name"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_by_its_name(changed: dict[str, str], said: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        JobForm.read({**FULL, **changed}).params()
    assert said in refusal.value.message


def test_agents_are_added_and_dropped() -> None:
    form = JobForm.read(FULL)
    form.add_agent()
    assert [agent["name"] for agent in form.agents] == ["claude-code", "nop", "nop"]
    for _ in range(3):
        form.drop_agent()
    assert [agent["name"] for agent in form.agents] == ["claude-code"]
