"""Runs the test suite: `./run test [LAYER ...] [PATH ...] [arguments of pytest]`.

  LAYER                 unit, integration or slow; all three if neither a layer nor a path is named
  --durations-report    where the time of the last run went; runs nothing
  --no-second-try       a failed test is not tried again

Tests run on several workers (`-n`, or LOOPYARD_TEST_WORKERS; `-n 0` for none), the serial ones last. A test that fails
is tried once more at the end, alone. If it passes then, it is flaky: it is named with both outputs, and kept in a list
with its rate. More than two flaky tests fail the run.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.suite import durations, flaky, report
from tests.suite.layers import LAYERS

_MOST_TRIED_AGAIN = 10
_FAILED = 1  # pytest's exit status
_ALONE = (
    "--pdb",
    "--collect-only",
    "--co",
    "--help",
    "-h",
    "--version",
    "-x",
    "--exitfirst",
    "--fixtures",
    "--markers",
)
"""Arguments that ask for one process, or for no run at all."""


def main(arguments: Sequence[str]) -> int:
    """Run the tests that the arguments name. Returns the exit status of pytest, or 1 for too many flaky tests."""
    given = list(arguments)
    if "--durations-report" in given:
        return report.print_report()
    second_try = "--no-second-try" not in given
    given = [_path_of(argument) for argument in given if argument != "--no-second-try"]
    if not any(_is_path(argument) for argument in given):
        given += [path for path in map(_path_of, LAYERS) if Path(path).exists()]
    alone = any(argument.partition("=")[0] in _ALONE for argument in given)
    durations.LATEST.unlink(missing_ok=True)
    status = _pytest([*_worker_options(given, alone), *given])
    failures = durations.failures()
    if alone or not second_try or status not in (0, _FAILED):
        return status
    if len(failures) > _MOST_TRIED_AGAIN:
        print(f"{len(failures)} tests failed: too many for a second try.")
        return status
    if failures:
        status = _try_again(failures)
    flaky.count_run(durations.outcomes())
    return status


def _try_again(failures: dict[str, str]) -> int:
    """Run failed tests a second time, and tell what came of it. Returns the exit status of the whole run."""
    print(f"\nA second try, alone: {len(failures)} tests that failed.", flush=True)
    _pytest(["-n", "0", *failures], second_try=True)
    again = durations.second_try()
    found = [test for test in failures if again.get(test, {}).get("outcome") == "passed"]
    for test in found:
        print(flaky.describe(test, failures[test], again[test]["output"]))
    flaky.add(found)
    print(flaky.summarize(found, len(failures) - len(found)), flush=True)
    return _FAILED if len(found) < len(failures) or len(found) > flaky.MOST_IN_A_RUN else 0


def _pytest(arguments: Sequence[str], *, second_try: bool = False) -> int:
    env = {**os.environ, **({durations.SECOND_TRY: "1"} if second_try else {})}
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False, env=env).returncode


def _path_of(argument: str) -> str:
    return f"tests/{argument}" if argument in LAYERS else argument


def _is_path(argument: str) -> bool:
    return not argument.startswith("-") and Path(argument.partition("::")[0]).exists()


def _worker_options(given: Sequence[str], alone: bool) -> list[str]:
    if alone or any(argument.startswith(("-n", "--numprocesses")) for argument in given):
        return []
    paths = [argument for argument in given if _is_path(argument)]
    files = sum(1 if Path(path.partition("::")[0]).is_file() else 100 for path in paths)
    compute = all(Path(path).parts[:2] == ("tests", "unit") for path in paths)
    return ["-n", str(min(files, default_workers(compute=compute)))] if files > 1 else []


def default_workers(*, compute: bool = False) -> int:
    """How many workers run tests: three for each processor, as tests mostly wait, and one for each 2 GiB of memory.
    Tests that only `compute` get one for each processor: each worker loads all of them first."""
    if (setting := os.environ.get("LOOPYARD_TEST_WORKERS")) is not None:
        return int(setting)
    by_memory = psutil.virtual_memory().total // (2 << 30)
    each = 1 if compute else 3
    return max(1, min(each * len(os.sched_getaffinity(0)), by_memory, 24))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
