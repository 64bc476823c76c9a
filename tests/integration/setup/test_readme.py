"""What README.md shows is true."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from runloop_api_client import Runloop

from tests.integration.benchmark_job.making import make_scenario
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


def test_the_benchmark_job_that_is_shown_is_taken_and_run(client: Runloop, capsys: pytest.CaptureFixture[str]) -> None:
    (shown,) = EXAMPLES[1:]
    with_model = re.search(r"^            \{\n.*?^            \},\n", shown, re.MULTILINE | re.DOTALL)
    assert with_model is not None
    assert "mini-swe-agent" in with_model[0]
    asked = with_model[0].rstrip(",\n ")
    secrets: dict[str, str] = eval(asked)["agent_environment"]["secrets"]  # noqa: S307
    exec(shown.replace(with_model[0], ""), {"client": client, "scenario": SimpleNamespace(id=make_scenario(client))})  # noqa: S102
    assert capsys.readouterr().out == "nop 0.0\n"
    names = {secret.name for secret in client.secrets.list(limit=5000).secrets}
    assert set(secrets.values()) <= names, "the secrets that the agent is given are made before"
