"""Scenario runs on a host that fails under them: no score is better than a wrong one."""

import pytest
from runloop_api_client import Runloop

from loopyard.runtime.errors import CommandStartFailed, NoSpaceLeft
from tests.integration.devbox.waiting import POLL, wait_until
from tests.integration.scenario.definitions import bash, scenario
from tests.unit.in_process.server import InProcessServer


def _ready(own: Runloop, script: str) -> tuple[str, str]:
    """A run that is ready to be scored: its id, and its devbox's."""
    made = own.scenarios.create(**scenario(bash("one", script)))
    run = own.scenarios.start_run_and_await_env_ready(scenario_id=made.id, polling_config=POLL)
    return run.id, run.devbox_id


def _over(own: Runloop, run_id: str) -> str:
    wait_until(
        lambda: own.scenarios.runs.retrieve(run_id).state not in ("running", "scoring"), lambda: "it goes on still"
    )
    return own.scenarios.runs.retrieve(run_id).state


def test_a_devbox_that_goes_down_under_the_scoring_is_no_score(own_server: InProcessServer, own: Runloop) -> None:
    run_id, devbox_id = _ready(own, "touch begun; sleep 1000; echo score=1.0")
    own.scenarios.runs.score(run_id)
    host = own_server.host
    wait_until(lambda: host.boxes[devbox_id].disk.exists("/home/user/begun"), lambda: "the scorer does not begin")
    own_server.run(host.end_first_process(devbox_id))
    assert _over(own, run_id) == "failed"
    assert own.scenarios.runs.retrieve(run_id).scoring_contract_result is None


def test_a_scorer_that_the_host_cannot_start_is_no_score(
    own_server: InProcessServer, own: Runloop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loopyard.scenario.run.scoring._GRACE_SECONDS", 0.05)
    run_id, _ = _ready(own, "echo score=1.0")
    own_server.host.refusals["start_command"] = [CommandStartFailed("no more processes")]
    own.scenarios.runs.score(run_id)
    assert _over(own, run_id) == "failed"
    assert own.scenarios.runs.retrieve(run_id).scoring_contract_result is None


def test_a_full_disk_is_an_error_of_the_scorer(own_server: InProcessServer, own: Runloop) -> None:
    run_id, _ = _ready(own, "echo score=1.0")
    own_server.host.refusals["write_file"] = [NoSpaceLeft("full")]
    ended = own.scenarios.runs.score_and_complete(run_id, polling_config=POLL)
    assert ended.scoring_contract_result is not None
    (result,) = ended.scoring_contract_result.scoring_function_results
    assert (result.state, result.score) == ("error", 0.0)
    assert "could not be written" in result.output


def test_a_scoring_goes_on_after_a_restart_and_is_done_once(own_server: InProcessServer, own: Runloop) -> None:
    script = "echo judged >> judged; while [ ! -e go ]; do sleep 0.02; done; echo score=0.$(grep -c judged judged)"
    run_id, devbox_id = _ready(own, script)
    own.scenarios.runs.score(run_id)
    host = own_server.host
    wait_until(lambda: host.boxes[devbox_id].disk.exists("/home/user/judged"), lambda: "the scorer does not begin")
    own_server.restart()
    with own_server.client() as client:
        assert client.scenarios.runs.retrieve(run_id).state == "scoring"
        client.devboxes.write_file_contents(devbox_id, file_path="go", contents="")
        scored = client.scenarios.runs.await_scored(run_id, polling_config=POLL)
    assert scored.scoring_contract_result is not None
    assert scored.scoring_contract_result.score == 0.1


def test_a_scorer_whose_output_was_lost_is_no_score(own_server: InProcessServer, own: Runloop) -> None:
    run_id, _ = _ready(own, "echo score=1.0; echo and so on; echo score=0.0")
    own_server.host.full_after = len("score=1.0\n")
    own.scenarios.runs.score(run_id)
    assert _over(own, run_id) == "failed"
    assert own.scenarios.runs.retrieve(run_id).scoring_contract_result is None
