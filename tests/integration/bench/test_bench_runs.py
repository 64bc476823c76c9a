"""`loopyard bench run` on a real server, with real boxes."""

import os
import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from runloop_api_client import Runloop

from tests.integration.bench.benching import Bench, agents
from tests.integration.bench.folders import write_tiny
from tests.serving import ServerProcess, serving

BOTH = agents(["oracle", "nop"])


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A folder for scenarios, with a name that no other test's runs have."""
    path = tmp_path / f"suite-{uuid.uuid4().hex[:8]}"
    path.mkdir()
    return path


def until(condition: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)


def test_oracle_and_nop_are_scored_and_listed(server: ServerProcess, client: Runloop, suite: Path) -> None:
    names = [f"{suite.name}-{letter}" for letter in "ab"]
    for name in names:
        write_tiny(suite, name)
    ended = Bench(suite, *BOTH, "--concurrency", "4", server=server).wait()
    assert ended.status == 0, ended.out + ended.err
    for name in names:
        for agent, score in (("oracle", 1.0), ("nop", 0.0)):
            result = ended.result(name, agent)
            assert (result["state"], result["score"], result["faults"]) == ("scored", score, [])
            run = client.scenarios.runs.retrieve(result["run_id"])
            assert run.state == "completed"
            assert run.metadata == {"agent": agent, "benchmark": suite.name}
            assert run.scoring_contract_result is not None
            assert run.scoring_contract_result.score == score
            assert client.devboxes.retrieve(result["devbox_id"]).status == "shutdown"
    assert "oracle: mean score 1.000 (2 scored)" in ended.out
    assert "nop: mean score 0.000 (2 scored)" in ended.out
    assert "4/4 " in ended.err


def test_a_command_finds_the_problem_in_a_variable_and_in_a_file(server: ServerProcess, suite: Path) -> None:
    write_tiny(suite, f"{suite.name}-small")
    command = (
        'case "$PROBLEM_STATEMENT" in *"word hello"*) cmp "$PROBLEM_STATEMENT_FILE" <(printf %s "$PROBLEM_STATEMENT") '
        "&& pwd > where && echo hello > out.txt;; esac; echo did it; exit 3"
    )
    ended = Bench(suite, "--agent-command", command, server=server).wait()
    assert ended.status == 0, ended.out + ended.err
    result = ended.result(f"{suite.name}-small", "command")
    assert result["score"] == 1.0
    assert (result["agent_result"]["exit_status"], result["agent_result"]["output"]) == (3, "did it")
    assert "the agent exited with 3" in ended.out


def test_a_problem_longer_than_a_variable_is_all_in_the_file(server: ServerProcess, suite: Path) -> None:
    name = f"{suite.name}-long"
    statement = 'problem_statement = "Write the word hello to the file out.txt."'
    folder = write_tiny(suite, name, replace_1=statement, by_1='problem_statement_file = "problem.md"')
    (folder / "problem.md").write_text("x" * 300_000 + "\n")
    command = (
        '[ "$(stat -c %s "$PROBLEM_STATEMENT_FILE")" = 300001 ] '
        '&& [[ "$PROBLEM_STATEMENT" = *"$PROBLEM_STATEMENT_FILE"* ]] '
        '&& env true "$PROBLEM_STATEMENT" && echo hello > out.txt'
    )
    ended = Bench(suite, "--agent-command", command, server=server).wait()
    assert ended.result(name, "command")["score"] == 1.0, ended.out + ended.err


def test_an_agent_out_of_time_is_stopped_and_scored(server: ServerProcess, suite: Path) -> None:
    write_tiny(suite, suite.name)
    command = "echo hello > out.txt; sleep 300; echo never > out.txt"
    begun = time.monotonic()
    ended = Bench(suite, "--agent-command", command, "--agent-timeout", "1", server=server).wait()
    assert time.monotonic() - begun < 100
    result = ended.result(suite.name, "command")
    assert (result["score"], result["agent_result"]["timed_out"]) == (1.0, True)
    assert ended.status == 0
    assert "ran out of time" in ended.out


def test_a_broken_scenario_is_told_with_the_scorers_output(server: ServerProcess, suite: Path) -> None:
    write_tiny(suite, f"{suite.name}-sound")
    said = "echo score=0.0"
    write_tiny(suite, f"{suite.name}-lax", replace_1=said, by_1="(echo it is near enough; echo score=0.25)")
    write_tiny(suite, f"{suite.name}-mute", replace_1=said, by_1="echo no score at all")
    ended = Bench(suite, *BOTH, server=server).wait()
    assert ended.status == 1
    assert ended.result(f"{suite.name}-lax", "nop")["faults"] == ["nop scored 0.25, not 0.0"]
    assert ended.result(f"{suite.name}-mute", "nop")["faults"] == ["the scorer said-it ended in an error"]
    assert not ended.result(f"{suite.name}-sound", "nop")["broken"]
    assert "it is near enough" in ended.out
    assert "no score at all" in ended.out


def test_a_setup_that_always_fails_is_the_scenarios_fault(server: ServerProcess, client: Runloop, suite: Path) -> None:
    launch = '[environment]\nlaunch_parameters = { launch_commands = ["echo the index is away >&2; exit 7"] }'
    write_tiny(suite, f"{suite.name}-away", replace_1="[environment]", by_1=launch)
    write_tiny(suite, f"{suite.name}-sound")
    ended = Bench(suite, "--agent-command", "true", *agents(["nop"]), server=server).wait()
    assert ended.status == 1
    result = ended.result(f"{suite.name}-away", "command")
    assert (result["state"], result["score"], result["broken"]) == ("broken scenario", None, True)
    assert "execution_failed" in result["reason"]
    assert "the index is away" in result["reason"]
    assert ended.result(f"{suite.name}-sound", "command")["score"] == 0.0
    assert "its box could not be set up (2 attempts)" in ended.out
    assert ended.out.count("    the index is away") == 1
    assert "command: mean score 0.000 (1 scored, 1 broken)" in ended.out
    assert client.devboxes.retrieve(result["devbox_id"]).status in ("failure", "shutdown")


def test_an_interruption_shuts_all_boxes_down(server: ServerProcess, client: Runloop, suite: Path) -> None:
    for number in range(4):
        write_tiny(suite, f"{suite.name}-{number}")
    bench = Bench(suite, "--agent-command", "sleep 300", "--concurrency", "2", server=server)

    def running() -> int:
        mine = [
            run
            for run in client.scenarios.runs.list(state="running", limit=50)
            if run.metadata.get("benchmark") == suite.name
        ]
        return sum(client.devboxes.retrieve(run.devbox_id).status == "running" for run in mine)

    until(lambda: running() == 2 or bench.process.poll() is not None)
    assert bench.process.poll() is None, bench.wait()
    bench.process.send_signal(signal.SIGINT)
    ended = bench.wait(60)
    assert ended.status == 130, ended.err
    assert ended.content["exit_status"] == 130
    assert {result["state"] for result in ended.content["results"]} == {"canceled"}
    begun = [result for result in ended.content["results"] if result["run_id"]]
    assert len(begun) == 2
    for result in begun:
        assert client.scenarios.runs.retrieve(result["run_id"]).state == "canceled"
        assert client.devboxes.retrieve(result["devbox_id"]).status == "shutdown"
    assert running() == 0


def test_a_second_interruption_does_not_wait(server: ServerProcess, client: Runloop, suite: Path) -> None:
    write_tiny(suite, suite.name)
    bench = Bench(suite, "--agent-command", "sleep 300", server=server)
    until(lambda: any(run.metadata.get("benchmark") == suite.name for run in client.scenarios.runs.list(limit=20)))
    os.kill(server.pid, signal.SIGSTOP)
    try:
        for _ in range(2):
            bench.process.send_signal(signal.SIGINT)
            time.sleep(0.5)
        ended = bench.wait(10)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert ended.status == 130
    assert "Given up" in ended.err
    assert "Traceback" not in ended.err
    for run in client.scenarios.runs.list(limit=20):
        if run.metadata.get("benchmark") == suite.name:
            client.scenarios.runs.cancel(run.id)


def test_a_server_that_is_killed_and_comes_back_costs_no_score(suite: Path, tmp_path: Path) -> None:
    for letter in "ab":
        write_tiny(suite, f"{suite.name}-{letter}")
    with serving(tmp_path / "data") as server:
        server.port = int(server.base_url.rpartition(":")[2])
        bench = Bench(suite, "--agent-command", "sleep 3; echo hello > out.txt", server=server)
        with server.client() as client:
            until(lambda: [run.state for run in client.scenarios.runs.list()] == ["running"] * 2)
        time.sleep(1)
        server.kill()
        time.sleep(1)
        server.start()
        ended = bench.wait(120)
    assert ended.status == 0, ended.out + ended.err
    assert [result["score"] for result in ended.content["results"]] == [1.0, 1.0]


def test_one_scenario_of_a_folder_can_be_chosen(server: ServerProcess, suite: Path) -> None:
    for letter in "ab":
        write_tiny(suite, f"{suite.name}-{letter}")
    ended = Bench(suite, "--agent", "nop", "--scenario", f"{suite.name}-b", server=server).wait()
    assert [result["scenario"] for result in ended.content["results"]] == [f"{suite.name}-b"]


def test_a_wrong_call_is_told_apart_from_a_failed_run(server: ServerProcess, suite: Path) -> None:
    write_tiny(suite, suite.name)
    assert Bench(suite, server=server).wait().status == 2
    assert Bench(suite, "--agent", "nop", "--scenario", "other", server=server).wait().status == 2
    assert Bench(suite / "missing", "--agent", "nop", server=server).wait().status == 2
    wrong = ServerProcess(server.data_dir)
    wrong.base_url = "http://127.0.0.1:9"
    ended = Bench(suite, "--agent", "nop", server=wrong).wait()
    assert ended.status == 1
    assert "There is no server to run on: http://127.0.0.1:9" in ended.err


def test_bytes_of_a_folder_reach_box_scorer_and_patch(server: ServerProcess, suite: Path) -> None:
    launch = (
        "printf 'a\\\\r\\\\nb\\\\r\\\\n' > f.txt && git init -q . && git add f.txt "
        "&& git -c user.name=a -c user.email=a@example.com commit -qm x"
    )
    toml = f"""
name = "{suite.name}"
problem_statement_file = "problem.md"
[environment]
working_directory = "/home/user/w"
[environment.launch_parameters]
launch_commands = ["cd ~/w && {launch}"]
[[scoring_functions]]
name = "bytes"
weight = 1.0
[scoring_functions.scorer]
type = "test_based_scorer"
test_command = "printf 'a\\\\r\\\\nc\\\\r\\\\n' | cmp - f.txt && [ $(grep -c $'\\\\r' fixture.txt) = 2 ]"
[[scoring_functions.scorer.test_files]]
file_path = "fixture.txt"
file_contents_file = "fixture.txt"
[reference_output]
type = "patch"
contents_file = "solution.patch"
"""
    folder = suite / "one"
    folder.mkdir()
    (folder / "scenario.toml").write_text(toml)
    (folder / "problem.md").write_bytes(b"\xef\xbb\xbfone\r\n\n\n")
    (folder / "fixture.txt").write_bytes(b"one\r\ntwo\r\nthree\n")
    patch = b"--- a/f.txt\n+++ b/f.txt\n@@ -1,2 +1,2 @@\n a\r\n-b\r\n+c\r\n"
    (folder / "solution.patch").write_bytes(patch)
    command = 'cmp "$PROBLEM_STATEMENT_FILE" <(printf %s "$PROBLEM_STATEMENT") && od -An -c "$PROBLEM_STATEMENT_FILE"'
    ended = Bench(suite, *agents(["oracle"]), "--agent-command", command, server=server).wait()
    assert ended.result(suite.name, "oracle")["score"] == 1.0, ended.out + ended.err
    seen = ended.result(suite.name, "command")["agent_result"]
    assert (seen["exit_status"], "".join(seen["output"].split())) == (0, r"357273277one\r\n\n\n")


def test_agent_and_tests_are_where_the_image_says(server: ServerProcess, suite: Path) -> None:
    toml = f"""
name = "{suite.name}"
problem_statement = "Write the word hello to the file out.txt."
[environment]
dockerfile = "FROM loopyard-base\\nWORKDIR /opt/app\\nRUN chown 1000:1000 .\\n"
[[scoring_functions]]
name = "tests"
weight = 1.0
[scoring_functions.scorer]
type = "test_based_scorer"
test_command = "cmp out.txt wanted.txt && pwd"
test_files = [{{ file_path = "wanted.txt", file_contents = "hello\\n" }}]
[reference_output]
type = "script"
contents = "echo hello > out.txt"
"""
    (suite / "one").mkdir()
    (suite / "one" / "scenario.toml").write_text(toml)
    ended = Bench(suite, *BOTH, server=server).wait()
    assert ended.status == 0, ended.out + ended.err
    solved = ended.result(suite.name, "oracle")
    assert (solved["score"], solved["functions"][0]["output"].strip()) == (1.0, "/opt/app")
