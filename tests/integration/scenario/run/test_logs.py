"""The logs of a run, downloaded by the official client."""

import io
import json
import zipfile
from collections.abc import Generator
from typing import Any

import pytest
from runloop_api_client import Runloop
from runloop_api_client.lib.polling import PollingConfig

from tests.integration.scenario.definitions import bash, command, scenario
from tests.serving import ServerProcess

POLL = PollingConfig(interval_seconds=0.05, max_attempts=6000)


@pytest.fixture(scope="module")
def api(server: ServerProcess) -> Generator[Runloop]:
    with server.client() as client:
        yield client


def _download(api: Runloop, run_id: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The archive's entries by name, and its manifest."""
    answer = api.scenarios.runs.download_logs(run_id)
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.read())) as file:
        assert file.testzip() is None
        entries = {name: file.read(name) for name in file.namelist()}
    assert list(entries)[-1] == "manifest.json"
    return entries, json.loads(entries["manifest.json"])


@pytest.mark.semantic
def test_logs_hold_every_command_also_after_the_devbox_has_ended(api: Runloop) -> None:
    made = api.scenarios.create(
        **scenario(
            bash("big", "seq 1 300000; echo score=1", 0.5),
            command("not-so", "echo out; echo err >&2; exit 4", 0.5),
            environment_parameters={"launch_parameters": {"launch_commands": ["echo launched"]}},
        )
    )
    run = api.scenarios.start_run_and_await_env_ready(scenario_id=made.id, polling_config=POLL)
    api.devboxes.execute(run.devbox_id, command="printf 'a\\0\\377'; exit 3", command_id="mine")
    ended = api.scenarios.runs.score_and_complete(run.id, polling_config=POLL)
    entries, manifest = _download(api, run.id)
    assert json.loads(entries["run.json"]) == ended.to_dict(exclude_none=False)
    assert manifest["run_id"] == run.id
    listed = {entry["execution_id"]: entry for entry in manifest["executions"]}
    assert [entry["purpose"] for entry in manifest["executions"]] == ["launch", "exec", "scoring", "scoring"]

    def content(execution_id: str, name: str) -> bytes:
        return entries[f"{listed[execution_id]['folder']}/{name}"]

    assert content("launch.0", "command") == b"echo launched"
    assert content("launch.0", "stdout") == b"launched\n"
    assert (content("mine", "stdout"), content("mine", "exit_status")) == (b"a\x00\xff", b"3\n")
    assert content("score.0", "stdout").decode().splitlines() == [*(str(n) for n in range(1, 300_001)), "score=1"]
    assert (content("score.1", "stdout"), content("score.1", "stderr")) == (b"out\n", b"err\n")
    assert (content("score.1", "exit_status"), listed["score.1"]["exit_status"]) == (b"4\n", 4)
    assert listed["score.0"]["stdout_bytes"] == len(content("score.0", "stdout"))


@pytest.mark.semantic
def test_logs_of_a_run_that_goes_on(api: Runloop) -> None:
    made = api.scenarios.create(**scenario())
    run = api.scenarios.start_run_and_await_env_ready(scenario_id=made.id, polling_config=POLL)
    started = api.devboxes.execute_async(run.devbox_id, command="echo so far; sleep 60")
    stream = api.devboxes.executions.stream_stdout_updates(started.execution_id, devbox_id=run.devbox_id)
    assert next(iter(stream)).output == "so far\n"
    entries, manifest = _download(api, run.id)
    (entry,) = manifest["executions"]
    assert (entry["status"], entry["exit_status"]) == ("running", None)
    assert entries[f"{entry['folder']}/stdout"] == b"so far\n"
    assert entries[f"{entry['folder']}/exit_status"] == b""
    api.scenarios.runs.cancel(run.id)
