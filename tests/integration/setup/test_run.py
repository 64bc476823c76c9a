"""./run and .ci/run, as far as they can be tested without another machine."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "run", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, cwd=cwd
    )


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help_names_every_command(arguments: list[str]) -> None:
    told = run(*arguments)
    assert told.returncode == 0
    assert re.findall(r"^  (\w+) ", told.stdout, re.MULTILINE) == [
        "demo", "test", "bench", "serve", "check", "docs", "setup", "lock"
    ]  # fmt: skip


def test_an_unknown_command_is_told_apart_from_a_failed_one() -> None:
    told = run("tset")
    assert told.returncode == 2
    assert "no command 'tset'" in told.stderr
    assert "usage:" in told.stderr


def test_it_works_from_another_folder_and_does_nothing_that_is_done(tmp_path: Path) -> None:
    """The tests run in an environment that ./run made or that is up to date, on a machine it has set up."""
    if not (ROOT / ".venv" / "loopyard-stamp").exists():
        pytest.skip("this environment was not made by ./run")
    told = run("bench", "--help", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "--quick" in told.stdout
    assert not told.stderr


def test_scripts_can_be_executed_and_parsed() -> None:
    for name in ("run", ".ci/run"):
        assert os.access(ROOT / name, os.X_OK), name
    for name in ("run", ".ci/run", "scripts/setup.sh"):
        subprocess.run(["bash", "-n", ROOT / name], check=True)
