"""Changes of a run in its working directory are recorded once, before scorers have a hand in them."""

import io
import json
import zipfile
from collections.abc import Generator
from typing import Any

import pytest
from runloop_api_client import Runloop
from runloop_api_client.lib.polling import PollingConfig

from tests.console import Console
from tests.integration.devbox.waiting import wait_until
from tests.integration.scenario.definitions import bash, scenario
from tests.serving import ServerProcess

POLL = PollingConfig(interval_seconds=0.05, max_attempts=6000)
EVIL = "<script>window.hit=1</script>"
AGENT = f"echo '{EVIL}' > hostile; printf '+++ b/x\\n--- a/x\\n@@ -1 +1 @@\\n' >> kept; echo here > new; rm gone"
PREPARED = "cd /home/user; mkdir work; echo kept > work/kept; echo gone > work/gone; chmod -R 777 work"


@pytest.fixture(scope="module")
def api(server: ServerProcess) -> Generator[Runloop]:
    with server.client() as client:
        yield client


def _started(api: Runloop, script: str = "echo scored > by-scorer; echo score=1.0") -> tuple[str, str]:
    """A run whose agent has done its work: its id, and its devbox's."""
    made = api.scenarios.create(
        **scenario(
            bash("one", script),
            environment_parameters={
                "working_directory": "/home/user/work",
                "launch_parameters": {"launch_commands": [PREPARED]},
            },
        )
    )
    run = api.scenarios.start_run_and_await_env_ready(scenario_id=made.id, polling_config=POLL)
    done = api.devboxes.execute(run.devbox_id, command=f"cd /home/user/work && {AGENT}", command_id="agent")
    assert done.exit_status == 0, done.stderr
    return run.id, run.devbox_id


def told_of(api: Runloop, run_id: str) -> tuple[str | None, dict[str, Any] | None]:
    """The patch in the logs of a run, and what the manifest says of it."""
    with zipfile.ZipFile(io.BytesIO(api.scenarios.runs.download_logs(run_id).read())) as file:
        manifest = json.loads(file.read("manifest.json"))["working_directory"]
        name = "working_directory.patch"
        return (file.read(name).decode() if name in file.namelist() else None), manifest


def _check_agents_work(patch: str | None) -> None:
    assert patch is not None
    assert f"+{EVIL}\n" in patch
    assert "++++ b/x\n+--- a/x\n+@@ -1 +1 @@\n" in patch
    assert "+here\n" in patch
    assert "by-scorer" not in patch


@pytest.mark.semantic
def test_the_changes_of_a_scored_run_are_those_before_its_scorers(api: Runloop) -> None:
    run_id, _ = _started(api)
    assert told_of(api, run_id) == (None, None)
    ended = api.scenarios.runs.score_and_complete(run_id, polling_config=POLL)
    assert ended.scoring_contract_result is not None
    assert ended.scoring_contract_result.score == 1.0
    patch, manifest = told_of(api, run_id)
    _check_agents_work(patch)
    assert manifest is not None
    assert (manifest["left_out"], manifest["complete"]) == (0, True)


@pytest.mark.semantic
def test_a_run_that_is_not_scored_has_them_too(api: Runloop) -> None:
    run_id, _ = _started(api)
    api.scenarios.runs.cancel(run_id)
    wait_until(lambda: told_of(api, run_id)[0] is not None, lambda: "no changes are recorded")
    _check_agents_work(told_of(api, run_id)[0])


@pytest.mark.semantic
def test_pages_show_them_and_nothing_in_them_is_markup(api: Runloop, server: ServerProcess) -> None:
    run_id, _ = _started(api)
    with Console(server.base_url) as console:
        console.log_in(server.api_key)
        assert "is recorded when the run is scored" in console.page(f"/runs/{run_id}")
        assert console.get(f"/console/runs/{run_id}/changes.patch").status_code == 404
        api.scenarios.runs.score_and_complete(run_id, polling_config=POLL)
        for path in (f"/runs/{run_id}", f"/runs/{run_id}/changes"):
            html = console.page(path)
            assert EVIL not in html
            assert '<span class="add">+&lt;script&gt;window.hit=1&lt;/script&gt;' in html
            assert '<span class="add">+--- a/x' in html
            assert "by-scorer" not in html.split("Changes in the working directory")[-1].split("Model calls")[0]
        answer = console.get(f"/console/runs/{run_id}/changes.patch")
        assert answer.text == told_of(api, run_id)[0]
        assert answer.headers["content-disposition"] == f'attachment; filename="{run_id}.patch"'


def test_what_was_there_at_the_start_is_no_change(api: Runloop) -> None:
    """On real disks, which are kept after the set-up."""
    run_id, _ = _started(api)
    api.scenarios.runs.score_and_complete(run_id, polling_config=POLL)
    patch, manifest = told_of(api, run_id)
    assert patch is not None
    assert "+kept" not in patch
    assert "deleted file mode 100755\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-gone\n" in patch
    assert manifest is not None
    assert (manifest["files"], manifest["added"], manifest["removed"]) == (4, 5, 1)
