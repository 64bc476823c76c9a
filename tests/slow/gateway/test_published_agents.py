"""Published agents solve a real bug of a published package in a devbox whose policy allows the gateway only.

Their model is the tests' own, and plays a real solution back. Needs the package indexes; the agents are large.
"""

import io
import json
import zipfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from runloop_api_client import Runloop
from runloop_api_client.lib.polling import PollingConfig

from loopyard.bench.catalog import wire_form
from loopyard.bench.loader import load
from loopyard.model_usage.trajectory.atif import Names, trajectory
from tests.integration.gateway.conftest import ENVIRONMENT, Box
from tests.serving import ServerProcess, serving
from tests.slow.gateway.memory import holds, processes_of
from tests.slow.gateway.model_server import KEY, ModelServer, model_server

EXAMPLES = Path(__file__).parents[3] / "examples" / "real-bugs"
BUG = "dotenv-set-key-newline"
_INSTALLING = PollingConfig(timeout_seconds=1500, max_attempts=1500)
_FROM_HERE = "cd ~/dotenv && timeout 900"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    with serving(tmp_path_factory.mktemp("agents") / "data", env=ENVIRONMENT) as process:
        with process.client() as client:
            client.secrets.create(name="MODEL_KEY", value=KEY)
        yield process


def _bug() -> Any:
    [bug] = [scenario for scenario in load(EXAMPLES).scenarios if scenario.name == BUG]
    assert bug.reference_output is not None
    return bug


def _turns(last: str) -> list[str]:
    patch = _bug().reference_output.contents.rstrip()
    return ["pwd && grep -n -A 50 'def set_key' dotenv/main.py", f"git apply - <<'PATCH'\n{patch}\nPATCH", last]


_CODEX_PROVIDER = '{name="gateway", base_url="$MODEL_URL", env_key="MODEL", wire_api="responses"}'

AGENTS: dict[str, tuple[str, str, dict[str, str]]] = {
    "mini-swe-agent": (
        "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT",
        "OPENAI_API_KEY=$MODEL OPENAI_BASE_URL=$MODEL_URL "
        "mini --yolo --exit-immediately --model openai/gpt-5 --task 'Fix the bug.' < /dev/null",
        {"MSWEA_CONFIGURED": "true", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "MSWEA_COST_TRACKING": "ignore_errors"},
    ),
    "claude-code": (
        "git diff --stat",
        "ANTHROPIC_API_KEY=$MODEL ANTHROPIC_BASE_URL=$MODEL_URL "
        "claude --print --dangerously-skip-permissions --model claude-sonnet-4-5 'Fix the bug.'",
        {"IS_SANDBOX": "1", "DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"},
    ),
    "codex": (
        "git diff --stat",
        "codex exec --dangerously-bypass-approvals-and-sandbox --skip-git-repo-check --model gpt-5 "
        "-c model_provider=gateway -c model_providers.gateway=\"$(printf '%s' '" + _CODEX_PROVIDER + "' "
        '| sed "s#[$]MODEL_URL#$MODEL_URL#")" \'Fix the bug.\' < /dev/null',
        {},
    ),
}
"""The last turn, how it is set to the problem, and its variables, as the catalog has them."""


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_solves_a_real_bug_without_its_key(name: str, client: Runloop, server: ServerProcess) -> None:
    last, command, variables = AGENTS[name]
    body: dict[str, Any] = {**wire_form(_bug()), "reference_output": ""}
    scenario = client.scenarios.create(**body)
    anthropic = name == "claude-code"
    mechanism: Any = {"type": "header", "key": "x-api-key"} if anthropic else {"type": "bearer"}
    with model_server(_turns(last)) as model:
        endpoint = model.url if anthropic else f"{model.url}/v1"
        config = client.gateway_configs.create(name=f"model of {name}", endpoint=endpoint, auth_mechanism=mechanism)
        # Open while the scenario installs its package; then, and for the agent, the gateway only.
        policy = client.network_policies.create(name=f"of {name}", allow_all=True)
        profile: Any = {
            "envVars": variables,
            "gateways": {"MODEL": {"gateway": config.id, "secret": "MODEL_KEY"}},
            "launchParameters": {"network_policy_id": policy.id},
            "mounts": [{"type": "agent_mount", "agent_name": name, "agent_id": None}],
        }
        recorded = {"loopyard.record_model_calls": "true"}
        run = client.scenarios.start_run(scenario_id=scenario.id, run_profile=profile, metadata=recorded)
        client.devboxes.await_running(run.devbox_id, polling_config=_INSTALLING)
        client.network_policies.update(policy.id, allow_all=False, allow_agent_gateway=True)
        box = Box(client, run.devbox_id)
        assert box.run("curl -sS -m 5 https://example.com")[0] != 0, "the policy allows the gateway only"
        execution = client.devboxes.execute_async(run.devbox_id, command=f"{_FROM_HERE} sh -c '{_quoted(command)}'")
        if not model.reached.wait(200):
            pytest.fail(_what_happened(client, run.devbox_id, execution.execution_id, model))
        _search(client, server, run.devbox_id)
        model.may_go_on.set()
        done = client.devboxes.executions.await_completed(execution.execution_id, devbox_id=run.devbox_id)
        assert done.exit_status == 0, f"{done.stdout}\n{done.stderr}"
    assert model.refused == 0
    scored = client.scenarios.runs.score_and_await(run.id)
    assert scored.scoring_contract_result is not None
    assert scored.scoring_contract_result.score == 1.0, model.asked[-1]
    client.scenarios.runs.complete(run.id)
    assert KEY not in server.log
    _check_usage(client, run.id, name)


def _check_usage(client: Runloop, run_id: str, name: str) -> None:
    """Each call is counted, and recorded without the key; the recording makes a trajectory with the agent's turns."""
    usage: Any = client.get(f"/v1/scenarios/runs/{run_id}/model_usage", cast_to=object)
    assert usage["counted"] >= 3
    assert usage["counted"] + usage["failed"] == usage["calls"], usage
    counted = usage["counted"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (100 * counted, 20 * counted)
    with zipfile.ZipFile(io.BytesIO(client.scenarios.runs.download_logs(run_id).read())) as logs:
        raw = logs.read("model_calls.jsonl")
    assert KEY.encode() not in raw
    made = trajectory([json.loads(line) for line in raw.splitlines()], Names(run_id, name))
    steps = [step for step in made["steps"] if step["source"] == "agent"]
    assert len(steps) >= 3
    assert "git apply" in json.dumps([step.get("tool_calls", step["message"]) for step in steps])


def _search(client: Runloop, server: ServerProcess, devbox_id: str) -> None:
    """Look for the real key everywhere in the devbox, while its agent works."""
    processes = processes_of(devbox_id)
    assert len(processes) > 2
    box = Box(client, devbox_id)
    token = box.run("echo $MODEL")[1].strip().encode()
    assert [pid for pid in processes if holds(pid, token)], "the search finds what is there"
    assert not [pid for pid in processes if holds(pid, KEY.encode())]
    hidden = KEY.replace("sk-", "s[k]-")  # so that the search does not find itself
    assert box.run(f"grep -rlsE '{hidden}' / --exclude-dir=proc --exclude-dir=sys; true")[1].strip() == ""
    snapshot = client.devboxes.snapshot_disk(devbox_id)
    copy = client.devboxes.create_and_await_running(snapshot_id=snapshot.id)
    found = Box(client, copy.id).run(f"grep -rlsE '{hidden}' / --exclude-dir=proc --exclude-dir=sys; true")[1]
    client.devboxes.shutdown(copy.id)
    assert found.strip() == ""


def _quoted(command: str) -> str:
    return command.replace("'", "'\\''")


def _what_happened(client: Runloop, devbox_id: str, execution_id: str, model: ModelServer) -> str:
    seen = client.devboxes.executions.retrieve(execution_id, devbox_id=devbox_id)
    asked = [path for path, _ in model.asked]
    return f"the agent did not get to its last turn: {asked}\n{seen.stdout}\n{seen.stderr}"
