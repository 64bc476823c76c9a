"""Harbor's own code takes the trajectories that are made of recordings."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from loopyard.benchmark_job.harbor.command import PACKAGE, PYTHON
from loopyard.model_usage.metering.apis import Api
from loopyard.model_usage.trajectory.atif import trajectory
from tests.integration.benchmark_job.harbor import python
from tests.unit.model_usage.trajectory.test_atif import NAMES, calls_a_tool

_CHECK = """
import json, sys
from harbor.models.trajectories import Trajectory
for one in json.load(sys.stdin):
    Trajectory.model_validate(one)
print("good")
"""


def test_harbor_takes_them() -> None:
    folder = python.folder()
    if folder is None:
        pytest.skip("Harbor needs Python 3.12 or later")
    made = [trajectory([*calls_a_tool(api), *calls_a_tool(Api.CHAT)], NAMES) for api in Api]
    uv = Path(__file__).parents[3] / ".venv/bin/uv"
    command = [str(uv), "tool", "run", "--python", PYTHON, "--from", PACKAGE, "python", "-c", _CHECK]
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "UV_PYTHON_DOWNLOADS": "never"}
    checked = subprocess.run(
        command, input=json.dumps(made), env=environment, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout) == (0, "good\n"), checked.stderr
