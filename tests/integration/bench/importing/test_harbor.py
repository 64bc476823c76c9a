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


def write_task(
    tasks: Path, name: str, test: str, *, dockerfile: str = "FROM loopyard-base\n", toml: str = "", crlf: bool = False
) -> None:
    """A small task, whose solution makes the file /solved."""
    files = {
        "task.toml": toml,
        "instruction.md": "Do it.\n",
        "environment/Dockerfile": dockerfile,
        "solution/solve.sh": "touch /solved\n",
        "tests/test.sh": test.replace("\n", "\r\n") if crlf else test,
    }
    for path, content in files.items():
        place = tasks / name / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode())


def asking(condition: str) -> str:
    """A test that gives 1 if the task is solved and the condition holds."""
    return f"""#!/bin/bash
if [ -e /solved ] && {condition}; then reward=1; else reward=0; fi
echo $reward > /logs/verifier/reward.txt
"""


def test_folders_values_scripts_and_rewards_are_as_in_harbor(server: ServerProcess, tmp_path: Path) -> None:
    tasks = tmp_path / "tasks"
    in_app, at_root = asking('[ "$PWD" = /srv/app ]'), asking('[ "$PWD" = / ]')
    continued = "FROM loopyard-base \\\n  AS base\nWORKDIR /srv/app\nFROM base\n"
    write_task(tasks, "continued", in_app, dockerfile=continued)
    write_task(tasks, "variable", in_app, dockerfile="FROM loopyard-base\nENV D=/srv/app\nWORKDIR $D\n")
    write_task(tasks, "root", at_root)
    pem = '[environment.env]\nPEM = "one\\ntwo"\n'
    write_task(tasks, "lines", asking("[ \"$PEM\" = $'one\\ntwo' ]"), toml=pem)
    write_task(tasks, "saved-elsewhere", asking("true"), crlf=True)
    write_task(tasks, "without-program", asking("[[ a == a ]]").partition("\n")[2])
    nested = '{"reward": 1, "details": {"reward": 0.25}}'
    write_task(tasks, "nested", f"#!/bin/sh\nprintf '{nested}' > /logs/verifier/reward.json\n")
    write_task(tasks, "cut", "#!/bin/sh\nprintf '{\"reward\": 1' > /logs/verifier/reward.json\n")
    folder = tmp_path / "imported"
    called = CliRunner().invoke(app, ["scenario", "import", "--harbor", str(tasks), "--to", str(folder)])
    assert called.exit_code == 0, called.output
    ended = Bench(folder, *agents(["oracle"]), "--concurrency", "2", server=server).wait()
    scores = {one["scenario"]: one["score"] for one in ended.content["results"]}
    assert scores.pop("cut") == 0.0
    assert "reward.json is not valid JSON" in ended.out
    assert len(scores) == 7
    assert set(scores.values()) == {1.0}, ended.out + ended.err
