"""Folders that devboxes share for scoring are freed once unused for long, and never while a devbox sees them."""

import json
import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from runloop_api_client import Runloop
from runloop_api_client.types import ScenarioRunView

from tests.commands import loopyard
from tests.integration.devbox.waiting import wait_until
from tests.integration.scenario.definitions import scenario
from tests.serving import ServerProcess, serving

DAY_SECONDS = 24 * 3600
PYTHON: Any = {
    "name": "judge",
    "weight": 1.0,
    "scorer": {
        "type": "python_script_scorer",
        "python_version_constraint": ">=3.11,<4",
        "python_script": "print(1.0)",
    },
}


@pytest.fixture
def server(tmp_path: Path) -> Generator[ServerProcess]:
    with serving(tmp_path / "data") as process:
        yield process


def _begin(api: Runloop) -> ScenarioRunView:
    return api.scenarios.start_run_and_await_env_ready(scenario_id=api.scenarios.create(**scenario(PYTHON)).id)


def _assert_scored(run: ScenarioRunView) -> None:
    assert run.scoring_contract_result is not None
    assert run.scoring_contract_result.score == 1.0, run.to_json()


def _command(server: ServerProcess, *arguments: str) -> Any:
    done = loopyard(*arguments, "--json", "--data-dir", str(server.data_dir))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _shared(server: ServerProcess, *options: str) -> set[str]:
    found = _command(server, "gc", *options)["leftovers"]
    return {one["name"].partition("-")[0] for one in found if one["kind"] == "shared"}


def _age(mark: Path, days: float) -> None:
    then = time.time() - days * DAY_SECONDS
    os.utime(mark, (then, then))


def test_a_folder_that_devboxes_share_is_freed_when_nobody_has_used_it_for_long(server: ServerProcess) -> None:
    marks = server.data_dir / "shared"
    with server.client() as api:
        run = _begin(api)
        _assert_scored(api.scenarios.runs.score_and_await(run.id))  # its devbox goes on
        assert _command(server, "status")["disk_bytes"]["shared"] > 10 << 20
        assert _shared(server) == set()
        for mark in marks.iterdir():
            os.utime(mark, (0, 0))
        assert _shared(server) == set()  # in use, however old
        assert all(mark.stat().st_mtime > time.time() - DAY_SECONDS for mark in marks.iterdir())
        api.scenarios.runs.complete(run.id)
        wait_until(lambda: _shared(server, "--dry-run") == {"tools", "python"}, lambda: "they are in use")

        # What the server does by itself keeps them for a week.
        server.stop()
        server.start({"LOOPYARD_UPKEEP__SWEEP_SECONDS": "0.2"})
        old, young = sorted(marks.iterdir())
        _age(young, 6)
        _age(old, 8)
        wait_until(lambda: not old.exists(), lambda: "it is kept for ever")
        assert _shared(server, "--dry-run") == {young.name.partition("-")[0]}

    with server.client() as api:  # what was freed is made anew
        _assert_scored(api.scenarios.runs.score_and_complete(_begin(api).id))
        wait_until(lambda: _shared(server) == {"tools", "python"}, lambda: "they are in use")
    assert _command(server, "status")["disk_bytes"]["shared"] == 0
