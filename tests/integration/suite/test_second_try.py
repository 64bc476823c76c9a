"""Tests that fail are tried once more: ones that pass then are flaky, and told."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.suite import flaky

ROOT = Path(__file__).parents[3]

CONFTEST = 'pytest_plugins = ("tests.suite.plugin",)\n'
ONCE = """
import pathlib, pytest
@pytest.mark.parametrize("number", range({count}))
def test_once(number, request):
    mark = pathlib.Path(__file__).with_name(f"mark-{{number}}")
    first = not mark.exists()
    mark.touch()
    print("the", "first" if first else "second", "time")
    assert not first
"""


def run_suite(folder: Path, source: str) -> "subprocess.CompletedProcess[str]":
    """Run the suite's command on one file of tests, in a checkout that has nothing else."""
    (folder / "tests").mkdir()
    (folder / "tests" / "suite").symlink_to(ROOT / "tests" / "suite")
    (folder / "tests" / "conftest.py").write_text(CONFTEST)
    (folder / "tests" / "test_it.py").write_text(source)
    (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = '-q --import-mode=importlib'\n")
    env = {**os.environ, "XDG_STATE_HOME": str(folder / "state"), "PYTHONPATH": str(folder)}
    command = [sys.executable, "-m", "tests.suite", "tests/test_it.py"]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_a_flaky_test_is_named_with_both_outputs_and_its_rate(tmp_path: Path) -> None:
    done = run_suite(tmp_path, ONCE.format(count=1))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "=== FLAKY tests/test_it.py::test_once[0]" in done.stdout
    assert "the first time" in done.stdout
    assert "the second time" in done.stdout
    assert "0 failed twice, 1 flaky" in done.stdout
    assert "flaked 1 times" in done.stdout


@pytest.mark.parametrize(("count", "status"), [(2, 0), (3, 1)])
def test_more_than_two_flaky_tests_fail_the_run(tmp_path: Path, count: int, status: int) -> None:
    done = run_suite(tmp_path, ONCE.format(count=count))
    assert done.returncode == status, done.stdout + done.stderr
    assert f"{count} flaky" in done.stdout
    assert ("More than 2 flaky tests" in done.stdout) == (status == 1)


def test_a_test_that_fails_twice_fails_the_run(tmp_path: Path) -> None:
    done = run_suite(tmp_path, "def test_it():\n    assert False\n")
    assert done.returncode == 1
    assert "1 failed twice, 0 flaky" in done.stdout
    assert "FLAKY" not in done.stdout


def test_the_rate_counts_the_runs_since_a_test_was_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    flaky.count_run({"a": "passed"})
    assert flaky.read() == {}
    flaky.add(["a"])
    for _ in range(3):
        flaky.count_run({"a": "passed", "b": "passed"})
    flaky.add(["a"])
    assert {name: (entry["flaked"], entry["runs"]) for name, entry in flaky.read().items()} == {"a": (2, 3)}
