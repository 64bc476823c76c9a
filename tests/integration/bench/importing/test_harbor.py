"""Harbor's tasks as scenarios: tasks of our own are imported, solved and scored in real sandboxes."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from loopyard.cli import app
from tests.integration.bench.benching import Bench, agents
from tests.serving import ServerProcess

TASKS = Path(__file__).parent / "harbor_tasks"


def test_the_solution_of_each_task_scores_1_and_doing_nothing_0(server: ServerProcess, tmp_path: Path) -> None:
    folder = tmp_path / "imported"
    called = CliRunner().invoke(app, ["scenario", "import", "--harbor", str(TASKS), "--to", str(folder)])
    assert called.exit_code == 0, called.output
    half = "printf 'the 3\\nand 1\\n' > answer.txt"
    names = [*agents(["oracle", "nop"]), "--agent-command", half]
    ended = Bench(folder, *names, "--concurrency", "2", server=server).wait()
    scores = {(one["scenario"], one["agent"]): one["score"] for one in ended.content["results"]}
    assert scores == {
        ("loopyard/count-words", "oracle"): 1.0,
        ("loopyard/count-words", "nop"): 0.0,
        ("loopyard/count-words", "command"): pytest.approx(1 / 3, abs=1e-4),
        ("fix-greeting", "oracle"): 1.0,
        ("fix-greeting", "nop"): 0.0,
        ("fix-greeting", "command"): 0.0,
    }, ended.out + ended.err
    assert ended.status == 0


def test_tasks_go_to_a_server_once_with_their_environment(
    server: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNLOOP_BASE_URL", server.base_url)
    monkeypatch.setenv("RUNLOOP_API_KEY", server.api_key)
    ids: list[dict[str, str]] = []
    for _ in range(2):
        called = CliRunner().invoke(app, ["scenario", "import", "--harbor", str(TASKS)])
        assert called.exit_code == 0, called.output
        pairs = [line.split("\t") for line in called.stdout.splitlines()]
        ids.append({name: scenario_id for scenario_id, name in pairs})
    assert ids[0] == ids[1]
    assert set(ids[0]) == {"loopyard/count-words", "fix-greeting"}
    with server.client() as client:
        held = client.scenarios.retrieve(ids[0]["loopyard/count-words"])
        assert held.environment is not None
        assert held.environment.launch_parameters is not None
        assert held.environment.launch_parameters.network_policy_id is not None
        policy = client.network_policies.retrieve(held.environment.launch_parameters.network_policy_id)
        assert (policy.egress.allow_all, policy.egress.allowed_hostnames) == (False, [])
        assert held.environment.blueprint_id is not None
        assert client.blueprints.retrieve(held.environment.blueprint_id).status == "build_complete"
        assert held.metadata["agent_timeout_sec"] == "120"
