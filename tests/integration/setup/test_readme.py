"""What README.md shows is true."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from runloop_api_client import Runloop

from tests.integration.benchmark_job.making import make_scenario, outcomes, wait
from tests.serving import ServerProcess

README = (Path(__file__).parents[3] / "README.md").read_text()


EXAMPLES = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_example_prints_what_is_said(server: ServerProcess, tmp_path: Path) -> None:
    environment = {**os.environ, "RUNLOOP_BASE_URL": server.base_url, "RUNLOOP_API_KEY": server.api_key}
    ended = subprocess.run(
        [sys.executable, "-c", EXAMPLES[0]],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "completed 1.0\n"
    assert f"It prints `{ended.stdout.strip()}`" in README


def test_the_benchmark_job_that_is_shown_is_taken_and_run(client: Runloop) -> None:
    (shown,) = EXAMPLES[1:]
    scenario_id = make_scenario(client)
    call = shown.split("client.benchmark_jobs.create", 1)[1].split("\n)\n", 1)[0] + ")"
    asked: dict[str, Any] = eval(f"dict{call}", {"scenario": SimpleNamespace(id=scenario_id)})  # noqa: S307
    quick: Any = asked["spec"]["agent_configs"][:1]  # the others want a model
    spec: Any = {**asked["spec"], "scenario_ids": [scenario_id], "agent_configs": quick}
    job = client.benchmark_jobs.create(name=asked["name"], spec=spec)
    assert [(one.agent_name, one.average_score) for one in outcomes(wait(client, job.id))] == [("nop", 0.0)]
