"""A bench that is killed is continued: nothing that is scored is run again, and no run is left over."""

import uuid
from pathlib import Path

import pytest
from runloop_api_client import Runloop
from runloop_api_client.types import ScenarioRunView

from tests.integration.bench.benching import Bench, Ended
from tests.integration.bench.folders import write_tiny
from tests.integration.bench.test_bench_runs import until
from tests.serving import ServerProcess

PATIENT = ["--concurrency", "1", "--agent-command", "echo hello > out.txt; until [ -e ~/go ]; do sleep 0.05; done"]
QUICK = ["--agent-command", "echo hello > out.txt"]


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / f"suite-{uuid.uuid4().hex[:8]}"
    path.mkdir()
    return path


def _runs(client: Runloop, name: str) -> list[ScenarioRunView]:
    """All runs of a scenario, oldest first."""
    return list(client.scenarios.runs.list(name=f"{name} by command"))[::-1]


def _let_go(client: Runloop, name: str, number: int = 1) -> None:
    """Wait for the run of this number and let its agent come to an end."""
    until(lambda: len(_runs(client, name)) >= number)
    devbox = _runs(client, name)[number - 1].devbox_id
    client.devboxes.await_running(devbox)
    client.devboxes.write_file_contents(devbox, file_path="go", contents="")


def _kill(bench: Bench) -> Ended:
    bench.process.kill()
    return bench.wait()


def _check_all_scored(ended: Ended, *names: str) -> None:
    assert ended.status == 0, ended.out + ended.err
    assert [(name, ended.result(name, "command")["score"]) for name in names] == [(name, 1.0) for name in names]
    assert len(ended.content["results"]) == len(names)


def test_a_bench_that_was_killed_in_the_middle_goes_on_from_there(
    server: ServerProcess, client: Runloop, suite: Path
) -> None:
    names = [f"{suite.name}-{letter}" for letter in "abc"]
    for name in names:
        write_tiny(suite, name)
    bench = Bench(suite, *PATIENT, server=server)
    _let_go(client, names[0])
    until(lambda: len(_runs(client, names[1])) == 1)
    client.devboxes.await_running(_runs(client, names[1])[0].devbox_id)
    _kill(bench)
    bench = Bench(suite, *PATIENT, "--resume", server=server)
    _let_go(client, names[1], 2)
    _let_go(client, names[2])
    ended = bench.wait()
    _check_all_scored(ended, *names)
    assert [[run.state for run in _runs(client, name)] for name in names] == [
        ["completed"],
        ["canceled", "completed"],
        ["completed"],
    ]
    assert f"{names[0]} by command: score 1.000, from before" in ended.err
    again = Bench(suite, *PATIENT, "--resume", server=server).wait()
    assert again.content == ended.content
    assert [len(_runs(client, name)) for name in names] == [1, 2, 1]


@pytest.mark.parametrize("place", ["bench.started", "bench.scored"])
def test_nothing_is_run_twice_wherever_it_was_killed(
    server: ServerProcess, client: Runloop, suite: Path, place: str
) -> None:
    """Killed before it could note the run that it had asked for, and before it could note the score."""
    name = f"{suite.name}-a"
    write_tiny(suite, name)
    ended = Bench(suite, *QUICK, server=server, env={"LOOPYARD_FAILPOINT": place}).wait()
    assert ended.status == -9, ended.err
    (before,) = _runs(client, name)
    _check_all_scored(Bench(suite, *QUICK, "--resume", server=server).wait(), name)
    (after,) = _runs(client, name)
    assert (after.id, after.state) == (before.id, "completed")


def test_work_that_was_being_scored_is_scored_once(server: ServerProcess, client: Runloop, suite: Path) -> None:
    name = f"{suite.name}-a"
    write_tiny(suite, name, replace_1="grep -qx", by_1="until [ -e ~/go ]; do sleep 0.05; done; grep -qx")
    bench = Bench(suite, *QUICK, server=server)
    until(lambda: [run.state for run in _runs(client, name)] == ["scoring"])
    _kill(bench)
    bench = Bench(suite, *QUICK, "--resume", server=server)
    _let_go(client, name)
    ended = bench.wait()
    _check_all_scored(ended, name)
    assert [run.state for run in _runs(client, name)] == ["completed"]
    assert ended.result(name, "command")["agent_result"] == {
        "exit_status": 0,
        "timed_out": False,
        "output": "",
        "out_of_memory": False,
    }


def test_what_was_changed_is_begun_anew_and_what_nobody_asks_for_is_ended(
    server: ServerProcess, client: Runloop, suite: Path
) -> None:
    name = f"{suite.name}-a"
    write_tiny(suite, name)
    bench = Bench(suite, *PATIENT, server=server)
    until(lambda: len(_runs(client, name)) == 1)
    client.devboxes.await_running(_runs(client, name)[0].devbox_id)
    _kill(bench)
    write_tiny(suite, name, replace_1="the word hello", by_1="hello, a word,")
    bench = Bench(suite, *PATIENT, "--resume", server=server)
    _let_go(client, name, 2)
    _check_all_scored(bench.wait(), name)
    assert [run.state for run in _runs(client, name)] == ["canceled", "completed"]


def test_a_killed_bench_with_a_server_of_its_own_goes_on(suite: Path, tmp_path: Path) -> None:
    name = f"{suite.name}-a"
    write_tiny(suite, name)
    data_dir = tmp_path / "data"
    ended = Bench(suite, *QUICK, data_dir=data_dir, env={"LOOPYARD_FAILPOINT": "bench.scored"}).wait()
    assert ended.status == -9, ended.err
    _check_all_scored(Bench(suite, *QUICK, "--resume", data_dir=data_dir).wait(), name)


def test_with_nothing_begun_it_starts(server: ServerProcess, suite: Path) -> None:
    name = f"{suite.name}-a"
    write_tiny(suite, name)
    ended = Bench(suite, *QUICK, "--resume", server=server).wait()
    _check_all_scored(ended, name)
    assert "starts from the beginning" in ended.err
