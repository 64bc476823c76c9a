"""Runs the real judge on a folder of tests, as scorers do in a box, by any Python of this machine."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loopyard.scorer.scorer import ScorerPaths
from loopyard.scorer.test_based import TestBasedScorer
from loopyard.test_results.command import reports
from loopyard.test_results.files import ARCHIVE, archive

PYTEST = f"{sys.executable} -m pytest -p no:schemathesis"
UNITTEST = "python3 -m unittest --verbose"


@dataclass(frozen=True)
class Judged:
    """What a judge said: the score or the exit status, all its lines, and why each test that did not pass did not."""

    score: float
    lines: list[str]

    @property
    def reasons(self) -> dict[str, str]:
        told = [line[2:-1].rpartition(" (") for line in self.lines if line.startswith("  ") and line.endswith(")")]
        return {name: why for name, _, why in told}


def write(folder: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text.encode())


def scored(
    folder: Path,
    files: Mapping[str, str],
    wanted: Sequence[str],
    command: str,
    *,
    python: str = "/usr/bin/python3",
    results: str = "lines",
    environment: Mapping[str, str] | None = None,
) -> Judged:
    """Score a task as an imported one is."""
    work, secret = folder / "work", folder / "secret"
    secret.mkdir()
    write(work, files)
    (secret / ARCHIVE).write_bytes(archive())
    form, _, file = results.partition(":")
    plan = {
        "judge": "score",
        "directory": str(work),
        "text": command,
        "fail-to-pass": list(wanted),
        "pass-to-pass": [],
        "sources": [path for path in files if Path(path).name.startswith("test")],
        "reported": results == "lines" and reports(command, {}),
        "results": form,
        "results-file": file or None,
    }
    (secret / "plan.json").write_text(json.dumps(plan))
    ended = _run([python, "-I", str(secret / ARCHIVE), str(secret / "plan.json")], work, environment or {})
    lines = ended.stdout.decode(errors="replace").splitlines()
    assert ended.returncode == 0, ended
    assert lines[-1].startswith("score="), ended
    return Judged(float(lines[-1].removeprefix("score=")), lines)


def checked(folder: Path, files: Mapping[str, str], tests: Mapping[str, str], command: str) -> Judged:
    """Score by placed test files and the status of a command."""
    work, secret = folder / "work", folder / "secret"
    secret.mkdir()
    write(work, files)
    fields = [{"file_path": path, "file_contents": text} for path, text in tests.items()]
    scorer = TestBasedScorer.model_validate(
        {"type": "test_based_scorer", "test_command": command, "test_files": fields}
    )
    job = scorer.job(ScorerPaths(str(secret), str(work)))
    for file in job.files:
        Path(file.path).parent.mkdir(parents=True, exist_ok=True)
        Path(file.path).write_bytes(file.data)
    ended = _run(job.argv, work, {})
    return Judged(float(ended.returncode == 0), (ended.stdout + ended.stderr).decode(errors="replace").splitlines())


def _run(argv: Sequence[str], directory: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    return subprocess.run(
        argv, cwd=directory, env={**own, **environment}, capture_output=True, check=False, timeout=120
    )
