"""Runs whose devbox never ran: the scenario's own setup failed, or the host did."""

import io
import json
import zipfile
from typing import Any

from runloop_api_client import Runloop

from loopyard.runtime.errors import SandboxStartFailed
from tests.integration.devbox.waiting import wait_until
from tests.integration.scenario.definitions import bash, scenario
from tests.unit.in_process.server import InProcessServer


def _failed(own: Runloop, **launch: Any) -> dict[str, Any]:
    """The manifest of a run that failed before its devbox ran."""
    environment = {"launch_parameters": launch}
    made = own.scenarios.create(**scenario(bash("one", "echo score=1.0"), environment_parameters=environment))
    run = own.scenarios.start_run(scenario_id=made.id)
    wait_until(lambda: own.scenarios.runs.retrieve(run.id).state != "running", lambda: "the run goes on")
    assert own.scenarios.runs.retrieve(run.id).state == "failed"
    assert own.devboxes.retrieve(run.devbox_id).status == "failure"
    with zipfile.ZipFile(io.BytesIO(own.scenarios.runs.download_logs(run.id).read())) as logs:
        return json.loads(logs.read("manifest.json"))


def test_a_launch_command_that_fails_is_recorded_with_the_run(own: Runloop) -> None:
    manifest = _failed(own, launch_commands=["echo no such mirror; exit 1"])
    assert (manifest["setup_failed"], manifest["fault"]) == (True, "infrastructure")
    assert manifest["failure_reason"] == "execution_failed"


def test_a_host_that_fails_is_no_setup_that_failed(own_server: InProcessServer, own: Runloop) -> None:
    own_server.host.refusals["create"] = [SandboxStartFailed("no room")] * 10
    manifest = _failed(own, launch_commands=["exit 1"])
    assert (manifest["setup_failed"], manifest["fault"]) == (False, "infrastructure")
