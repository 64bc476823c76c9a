"""Who scores less than 1 because the system was put back is told so, and the run's logs say what was."""

import io
import json
import zipfile
from collections.abc import Generator
from typing import Any

import pytest
from runloop_api_client import Runloop
from runloop_api_client.lib.polling import PollingConfig
from runloop_api_client.types import ScenarioRunView

from loopyard.runtime.grading import RestoreReport
from loopyard.scorer.contract import ScoringFunctionResult
from loopyard.scorer.restore_note import with_restore_note
from tests.integration.scenario.definitions import bash, scenario
from tests.serving import ServerProcess

POLL = PollingConfig(interval_seconds=0.05, max_attempts=6000)


@pytest.fixture(scope="module")
def api(server: ServerProcess) -> Generator[Runloop]:
    with server.client(max_retries=0) as client:
        yield client


def _scored(api: Runloop, do: str, **fields: Any) -> tuple[ScenarioRunView, Any]:
    functions = [bash("tool", "my-tool && echo score=1.0 || echo score=0.0", 0.5), bash("fine", "echo score=1.0", 0.5)]
    made = api.scenarios.create(**scenario(*functions, **fields))
    run = api.scenarios.start_run_and_await_env_ready(scenario_id=made.id, polling_config=POLL)
    api.devboxes.execute_and_await_completion(run.devbox_id, command=do)
    run = api.scenarios.runs.score_and_complete(run.id, polling_config=POLL)
    with zipfile.ZipFile(io.BytesIO(api.scenarios.runs.download_logs(run.id).read())) as logs:
        manifest = json.loads(logs.read("manifest.json"))
    assert manifest["restore_report"] == manifest["put_back"]
    return run, manifest["put_back"]


def _outputs(run: ScenarioRunView) -> list[str]:
    assert run.scoring_contract_result is not None
    return [one.output for one in run.scoring_contract_result.scoring_function_results]


INSTALL = "sudo cp /bin/true /usr/local/bin/my-tool; mkdir -p ~/.local/bin; sudo rm /usr/bin/less"


def test_a_scorer_that_misses_what_was_put_back_says_so_and_how_to_change_it(api: Runloop) -> None:
    run, put_back = _scored(api, INSTALL)
    missed, fine = _outputs(run)
    assert missed.splitlines()[-1].startswith(
        "[loopyard] Before scoring, 3 paths of the system that the agent had changed were put back (/"
    )
    assert "set loopyard.system_files to as_left in the scenario's metadata" in missed
    assert fine == "score=1.0"
    assert put_back == {
        "added": ["/usr/local/bin/my-tool", "/home/user/.local"],
        "changed": [],
        "removed": ["/usr/bin/less"],
        "count": 3,
        "complete": True,
    }


def test_nothing_is_said_where_nothing_was_put_back(api: Runloop) -> None:
    run, put_back = _scored(api, "echo hello > out.txt; python3 -c 'import json'; git --version")
    assert "[loopyard]" not in _outputs(run)[0]
    assert put_back == {"added": [], "changed": [], "removed": [], "count": 0, "complete": True}


def test_nothing_is_put_back_where_the_system_stays_as_left(api: Runloop) -> None:
    run, put_back = _scored(api, INSTALL, metadata={"loopyard.system_files": "as_left"})
    assert _outputs(run) == ["score=1.0", "score=1.0"]
    assert put_back is None


def test_the_line_counts_right() -> None:
    result = ScoringFunctionResult(scoring_function_name="a", score=0.5, output="", state="complete")
    one = with_restore_note(result, RestoreReport(["/usr/x"], [], [], 1, complete=True)).output
    assert one.startswith("[loopyard] Before scoring, 1 path of the system that the agent had changed was")
    assert "(/usr/x; manifest.json" in one
    many = with_restore_note(result, RestoreReport([], ["/usr/x"], [], 20_000, complete=False)).output
    assert "20000 or more paths" in many
    assert "(/usr/x, ...; " in many
