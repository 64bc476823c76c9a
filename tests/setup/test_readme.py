"""What README.md shows is true."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.serving import ServerProcess

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_example_prints_what_is_said(server: ServerProcess, tmp_path: Path) -> None:
    examples = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert len(examples) == 1
    environment = {**os.environ, "RUNLOOP_BASE_URL": server.base_url, "RUNLOOP_API_KEY": server.api_key}
    ended = subprocess.run(
        [sys.executable, "-c", examples[0]],
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
