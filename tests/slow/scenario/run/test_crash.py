"""The server is killed at each step of a run; after a restart it is scored exactly once, and nothing is orphaned."""

import io
import json
import subprocess
import time
import zipfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from runloop_api_client import Runloop, RunloopError
from runloop_api_client.lib.polling import PollingConfig
from runloop_api_client.types import ScenarioRunView

from tests.integration.scenario.definitions import bash, checked, command, scenario
from tests.serving import ServerProcess

POLL = PollingConfig(interval_seconds=0.05, max_attempts=6000)

COUNTING = "echo {0} >> ~/ran; sleep 0.3; echo score={1}"
FUNCTIONS = [
    bash("first", COUNTING.format("first", 0.5), 0.5),
    checked("second", "sh check.sh", {"check.sh": "echo second >> ~/ran"}, 0.25),
    command("third", "echo third >> ~/ran; false", 0.25),
]
CHANGES = "sudo cp /bin/true /usr/local/bin/my-tool; echo | sudo tee -a /etc/bash.bashrc; sudo rm /usr/bin/less"


@pytest.fixture
def crashing(tmp_path: Path) -> Generator[ServerProcess]:
    """A server that a test kills; at its end nothing of it may be left."""
    server = ServerProcess(tmp_path / "data")
    yield server
    if not server.alive:
        server.start()
    with server.client() as api:
        for devbox in api.devboxes.list(limit=5000):
            api.devboxes.shutdown(devbox.id)
    server.stop()


def _call(api: Runloop, path: str, body: object = None) -> None:
    """A call whose answer may never come, since the server dies in it."""
    try:
        api.post(path, body=body or {}, cast_to=object)
    except (RunloopError, httpx.HTTPError):
        return


def _until_dead(server: ServerProcess) -> None:
    server.wait_dead(60)


def _only_run(api: Runloop) -> ScenarioRunView:
    (run,) = api.scenarios.runs.list().runs
    assert api.scenarios.runs.list().total_count == 1
    return run


def _wait(api: Runloop, run_id: str, *states: str) -> ScenarioRunView:
    deadline = time.monotonic() + 60
    while (run := api.scenarios.runs.retrieve(run_id)).state not in states:
        assert time.monotonic() < deadline, run
        time.sleep(0.05)
    return run


def _check_scored_once(api: Runloop, run: ScenarioRunView) -> None:
    assert run.scoring_contract_result is not None
    assert run.scoring_contract_result.score == 0.5
    states = [(r.scoring_function_name, r.score, r.state) for r in run.scoring_contract_result.scoring_function_results]
    assert states == [("first", 0.5, "complete"), ("second", 1.0, "complete"), ("third", 0.0, "complete")]


def _ran(api: Runloop, devbox_id: str) -> list[str]:
    return api.devboxes.read_file_contents(devbox_id, file_path="ran").split()


def _processes_of(devbox_id: str) -> list[str]:
    command = ["grep", "-ls", devbox_id, *Path("/proc").glob("[0-9]*/cgroup")]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()


def _finish(api: Runloop, run: ScenarioRunView) -> None:
    """Score what is not scored yet, complete it, and prove that nothing was done twice or left behind."""
    if run.state == "running":
        api.scenarios.runs.score(run.id)
    run = _wait(api, run.id, "scored", "completed", "failed", "timeout", "canceled")
    _check_scored_once(api, run)
    if run.state == "scored":
        assert _ran(api, run.devbox_id) == ["first", "second", "third"]
        run = api.scenarios.runs.complete(run.id)
    assert run.state == "completed"
    _check_scored_once(api, run)
    assert api.scenarios.runs.list(state="completed").total_count == 1
    assert api.scenarios.runs.list().total_count == 1
    assert [devbox.id for devbox in api.devboxes.list()] == [run.devbox_id]
    assert api.devboxes.retrieve(run.devbox_id).status == "shutdown"
    deadline = time.monotonic() + 120
    while _processes_of(run.devbox_id):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(
    "place", ["run.started", "devbox.provisioning", "devbox.created", "devbox.initializing", "devbox.running"]
)
def test_killed_while_the_run_starts(crashing: ServerProcess, place: str) -> None:
    crashing.start({"LOOPYARD_FAILPOINT": place})
    with crashing.client(max_retries=0) as api:
        environment = {"working_directory": "/work", "launch_parameters": {"launch_commands": ["true"]}}
        made = api.scenarios.create(**scenario(*FUNCTIONS, environment_parameters=environment))
        _call(api, "/v1/scenarios/start_run", {"scenario_id": made.id})
    _until_dead(crashing)
    crashing.start()
    with crashing.client() as api:
        run = _only_run(api)
        assert run.state == "running"
        api.devboxes.await_running(run.devbox_id, polling_config=POLL)
        _finish(api, run)


@pytest.mark.parametrize(
    "place",
    [
        "run.scoring",
        "scoring.cleared",
        "scoring.mounted",
        "scoring.restored",
        "scoring.0.placing",
        "execution.recorded",
        "execution.started",
        "execution.ended",
        "scoring.0.ended",
        "scoring.1.placing",
        "scoring.1.ended",
        "scoring.2.ended",
        "run.judged",
        "run.scored",
    ],
)
def test_killed_while_the_run_is_scored(crashing: ServerProcess, place: str) -> None:
    crashing.start({"LOOPYARD_FAILPOINT": place})
    with crashing.client(max_retries=0) as api:
        made = api.scenarios.create(**scenario(*FUNCTIONS))
        run = api.scenarios.start_run_and_await_env_ready(scenario_id=made.id, polling_config=POLL)
        _call(api, f"/v1/scenarios/runs/{run.id}/score")
    _until_dead(crashing)
    crashing.start()
    with crashing.client() as api:
        run = _only_run(api)
        assert run.state in ("scoring", "scored")
        _finish(api, run)


def _put_back(api: Runloop, run_id: str) -> Any:
    with zipfile.ZipFile(io.BytesIO(api.scenarios.runs.download_logs(run_id).read())) as logs:
        return json.loads(logs.read("manifest.json"))["put_back"]


def _patch(api: Runloop, run_id: str) -> str:
    with zipfile.ZipFile(io.BytesIO(api.scenarios.runs.download_logs(run_id).read())) as logs:
        return logs.read("working_directory.patch").decode()


@pytest.mark.parametrize(
    "place",
    [
        "scoring.cleared",
        "scoring.mounted",
        "scoring.restored",
        "scoring.0.placing",
        "scoring.0.ended",
        "run.judged",
        "run.scored",
    ],
)
def test_what_was_put_back_is_told_also_if_the_server_is_killed_meanwhile(crashing: ServerProcess, place: str) -> None:
    function = bash("tool", "echo ran >> ~/ran; my-tool && echo score=1.0 || echo score=0.5")
    crashing.start({"LOOPYARD_FAILPOINT": place})
    with crashing.client(max_retries=0) as api:
        made = api.scenarios.create(**scenario(function))
        run = api.scenarios.start_run_and_await_env_ready(scenario_id=made.id, polling_config=POLL)
        api.devboxes.execute_and_await_completion(run.devbox_id, command=CHANGES, polling_config=POLL)
        _call(api, f"/v1/scenarios/runs/{run.id}/score")
    _until_dead(crashing)
    crashing.start()
    with crashing.client() as api:
        run = _wait(api, run.id, "scored", "failed", "timeout")
        assert run.scoring_contract_result is not None
        assert run.scoring_contract_result.score == 0.5, run.to_json()
        (result,) = run.scoring_contract_result.scoring_function_results
        lines = [line for line in result.output.splitlines() if line.startswith("[loopyard]")]
        assert len(lines) == 1, result.output
        assert "3 paths of the system that the agent had changed were put back" in lines[0]
        assert _ran(api, run.devbox_id) == ["ran"]
        told = {
            "added": ["/usr/local/bin/my-tool"],
            "changed": ["/etc/bash.bashrc"],
            "removed": ["/usr/bin/less"],
            "count": 3,
            "complete": True,
        }
        assert _put_back(api, run.id) == told
        patch = _patch(api, run.id)
        assert "b/ran" not in patch, "the scorer's doing is told as the agent's"
        api.scenarios.runs.complete(run.id)
        assert _put_back(api, run.id) == told
        assert _patch(api, run.id) == patch


def test_killed_before_the_devbox_of_a_run_to_be_scored_is_made(crashing: ServerProcess) -> None:
    crashing.start({"LOOPYARD_FAILPOINT": "devbox.initializing"})
    with crashing.client(max_retries=0) as api:
        environment = {"launch_parameters": {"launch_commands": ["sleep 1"]}}
        made = api.scenarios.create(**scenario(*FUNCTIONS, environment_parameters=environment))
        _call(api, "/v1/scenarios/start_run", {"scenario_id": made.id})
        run_id = None
        try:
            run_id = _only_run(api).id
            _call(api, f"/v1/scenarios/runs/{run_id}/score")
        except (RunloopError, httpx.HTTPError):
            pass
    _until_dead(crashing)
    crashing.start()
    with crashing.client() as api:
        run = _only_run(api)
        _finish(api, run)


@pytest.mark.parametrize("place", ["run.ended", "devbox.ended", "devbox.destroyed"])
@pytest.mark.parametrize("call", ["complete", "cancel"])
def test_killed_while_the_run_ends(crashing: ServerProcess, place: str, call: str) -> None:
    crashing.start({"LOOPYARD_FAILPOINT": place})
    with crashing.client(max_retries=0) as api:
        made = api.scenarios.create(**scenario(*FUNCTIONS))
        run = api.scenarios.start_run_and_await_env_ready(scenario_id=made.id, polling_config=POLL)
        api.scenarios.runs.score_and_await(run.id, polling_config=POLL)
        assert _ran(api, run.devbox_id) == ["first", "second", "third"]
        _call(api, f"/v1/scenarios/runs/{run.id}/{call}")
    _until_dead(crashing)
    crashing.start()
    with crashing.client() as api:
        run = _only_run(api)
        assert run.state == ("completed" if call == "complete" else "canceled")
        _check_scored_once(api, run)
        assert run.duration_ms is not None
        if call == "complete":
            _finish(api, run)


def test_killed_for_longer_than_a_scorer_takes(crashing: ServerProcess) -> None:
    crashing.start()
    with crashing.client(max_retries=0) as api:
        made = api.scenarios.create(**scenario(*FUNCTIONS))
        run = api.scenarios.start_run_and_await_env_ready(scenario_id=made.id, polling_config=POLL)
        api.scenarios.runs.score(run.id)
    crashing.kill()
    time.sleep(1)
    crashing.start()
    with crashing.client() as api:
        _finish(api, _only_run(api))


def test_killed_again_and_again_while_scoring(crashing: ServerProcess) -> None:
    crashing.start()
    with crashing.client(max_retries=0) as api:
        made = api.scenarios.create(**scenario(*FUNCTIONS))
        run = api.scenarios.start_run_and_await_env_ready(scenario_id=made.id, polling_config=POLL)
        api.scenarios.runs.score(run.id)
    for _ in range(4):
        crashing.kill()
        crashing.start()
    with crashing.client() as api:
        _finish(api, _only_run(api))
