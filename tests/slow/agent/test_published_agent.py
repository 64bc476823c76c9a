"""A published agent, mini-swe-agent from the package index, solves a real bug of a published package in a job. Its
model is the tests' own, and plays a real solution back. Needs a package index; the agent's packages are some 300 MB."""

import json
from pathlib import Path
from typing import Any

import pytest
from runloop_api_client import Runloop

from loopyard.bench.catalog import wire_form
from loopyard.bench.loader import load
from tests.integration.agent.model_host import KEY, model_host
from tests.integration.benchmark_job.making import agent, only, outcomes, runs_of, start, wait
from tests.serving import ServerProcess

EXAMPLES = Path(__file__).parents[3] / "examples" / "real-bugs"
BUG = "dotenv-set-key-newline"
TRY = "printf A=1 > /tmp/env && python3 -c \"import dotenv; dotenv.set_key('/tmp/env', 'B', '2')\" && cat /tmp/env"
"""Shows the bug: the new key is put onto the end of the last line."""


def _turns(solution: str) -> list[str]:
    return [
        "pwd && grep -n -A 50 'def set_key' dotenv/main.py",
        TRY,
        f"git apply --verbose - <<'PATCH'\n{solution.rstrip()}\nPATCH",
        TRY,
        "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT",
    ]


@pytest.mark.timeout(1200)
def test_mini_swe_agent_solves_a_real_bug(client: Runloop, server: ServerProcess, tmp_path: Path) -> None:
    [bug] = [scenario for scenario in load(EXAMPLES).scenarios if scenario.name == BUG]
    assert bug.reference_output is not None
    body: dict[str, Any] = {**wire_form(bug), "reference_output": ""}
    made = client.scenarios.create(**body)
    client.secrets.create(name="MODEL_KEY", value=KEY)
    with model_host(tmp_path, _turns(bug.reference_output.contents)) as url:
        environment = {"secrets": {"OPENAI_API_KEY": "MODEL_KEY"}, "environment_variables": {"OPENAI_BASE_URL": url}}
        config = agent("mini-swe-agent", model_name="openai/played-back", agent_environment=environment)
        job = wait(client, start(client, [made.id], config), seconds=900)
    requests: list[dict[str, Any]] = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    outcome = only(job)
    assert (outcome.state, outcome.score, outcome.failure_reason) == ("COMPLETED", 1.0, None), requests
    assert outcomes(job)[0].average_score == 1.0

    # It was the agent that did it: the model was asked for each turn, and told what the one before had brought.
    assert len(requests) == len(_turns(""))
    assert {request["model"] for request in requests} == {"played-back"}
    asked = "\n".join(message["content"] for message in requests[0]["messages"])
    assert bug.problem_statement.strip() in asked
    told = [message["content"] for message in requests[-1]["messages"] if message["role"] == "tool"]
    assert "/home/user/dotenv" in told[0]
    assert "line_out" in told[0]
    assert "A=1B=" in told[1]
    assert "Applied patch dotenv/main.py cleanly" in told[2]
    assert "A=1\\nB=" in told[3]

    [scored] = runs_of(client, job)
    assert client.devboxes.retrieve(scored.devbox_id).status == "shutdown"
    assert KEY not in server.log + scored.to_json() + job.to_json()
