"""`loopyard scenario validate` as users start it, in a process of its own."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from runloop_api_client import Runloop

from tests.commands import loopyard
from tests.integration.bench.folders import write_tiny
from tests.integration.scenario.definitions import bash, scenario
from tests.serving import ServerProcess

_SCRIPT = "grep -qx hello out.txt && echo score=1.0 || echo score=0.0"


def _validate(server: ServerProcess | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RUNLOOP_")}
    if server is not None:
        environment |= {"RUNLOOP_BASE_URL": server.base_url, "RUNLOOP_API_KEY": server.api_key}
    return loopyard("scenario", "validate", *arguments, env=environment)


def _content(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def test_sound_broken_and_flaky_scenarios_are_told_apart(server: ServerProcess, tmp_path: Path) -> None:
    suite = tmp_path / "suite"
    write_tiny(suite, "sound")
    write_tiny(suite, "no-need", replace_1=_SCRIPT, by_1="echo score=1")
    write_tiny(suite, "unsolved", replace_1="echo hello > out.txt", by_1="echo hell > out.txt")
    write_tiny(suite, "flaky", replace_1=_SCRIPT, by_1="echo score=0.$(date +%N)")
    ended = _validate(server, str(suite), "--json", str(tmp_path / "out.json"), "--concurrency", "2")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    content = _content(tmp_path / "out.json")
    assert (content["times"], content["exit_status"]) == (2, 1)
    assert {one["scenario"]: one["verdict"] for one in content["scenarios"]} == {
        "sound": "sound",
        "no-need": "broken",
        "unsolved": "broken",
        "flaky": "flaky",
    }
    for one in content["scenarios"]:
        assert {agent: len(attempts) for agent, attempts in one["attempts"].items()} == {"nop": 2, "oracle": 2}
    assert "doing nothing solves it" in ended.stdout
    assert "1 of 4 scenarios are sound" in ended.stdout
    assert "16/16" in ended.stderr


def test_scenarios_of_the_server_are_named_by_their_ids(server: ServerProcess, client: Runloop, tmp_path: Path) -> None:
    check = "grep -qx hello out.txt && echo score=1 || echo score=0"
    solved = client.scenarios.create(**scenario(bash("s", check), reference_output="echo hello > out.txt"))
    patch = "--- /dev/null\n+++ b/out.txt\n@@ -0,0 +1 @@\n+hello\n"
    patched = client.scenarios.create(**scenario(bash("s", check), reference_output=patch))
    without = client.scenarios.create(**scenario(bash("s", check)))
    ended = _validate(server, solved.id, patched.id, "--times", "1", "--json", str(tmp_path / "out.json"))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert [one["verdict"] for one in _content(tmp_path / "out.json")["scenarios"]] == ["sound", "sound"]
    ended = _validate(server, without.id, "--times", "1")
    assert ended.returncode == 1
    assert "no reference output" in ended.stdout


def test_what_cannot_be_validated_is_told_before_anything_runs(server: ServerProcess, tmp_path: Path) -> None:
    for arguments, word in (
        ([str(tmp_path / "none")], "neither a folder nor an id"),
        ([str(tmp_path)], "scenario.toml"),
        (["scn_none"], "there is no scenario scn_none"),
    ):
        ended = _validate(server, *arguments)
        assert (ended.returncode, ended.stdout) == (2, ""), ended.stdout + ended.stderr
        assert word in ended.stderr
    ended = _validate(None, "scn_none")
    assert ended.returncode == 2
    assert "RUNLOOP_BASE_URL" in ended.stderr


def test_a_reference_output_that_changes_the_system_is_told(server: ServerProcess, tmp_path: Path) -> None:
    suite = tmp_path / "suite"
    install = "echo hello > out.txt; sudo cp /bin/true /usr/local/bin/my-tool; sudo rm /usr/bin/less"
    write_tiny(suite, "installs", replace_1="echo hello > out.txt", by_1=install)
    write_tiny(suite, "plain")
    ended = _validate(server, str(suite), "--times", "1", "--json", str(tmp_path / "out.json"))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "installs: the reference output changes 2 paths of the system, which scorers do not see" in ended.stdout
    assert ended.stdout.count("changes") == 1
    told = {
        one["scenario"]: one["attempts"]["oracle"][0]["put_back"]
        for one in _content(tmp_path / "out.json")["scenarios"]
    }
    assert told == {"installs": {"paths": ["/usr/local/bin/my-tool", "/usr/bin/less"], "count": 2}, "plain": None}
