"""Durations of every test, fixture and file, kept as JSON with each run (`.loopyard/durations`)."""

import json
import os
import time
from collections import defaultdict
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.suite import spent

FOLDER = Path(__file__).parents[2] / ".loopyard" / "durations"
LATEST = FOLDER / "latest.json"
_KEPT = 20


@dataclass
class TestRecord:
    """One test: the seconds of its set-up, call and teardown, of the fixtures it was the first to ask for, and of each
    kind of work."""

    __test__ = False

    worker: str = ""
    outcome: str = ""
    phases: dict[str, float] = field(default_factory=dict[str, float])
    fixtures: dict[str, float] = field(default_factory=dict[str, float])
    kinds: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def seconds(self) -> float:
        return sum(self.phases.values())


class WorkerDurations:
    """Measures in the process that runs the tests; what it measures travels with pytest's own reports."""

    def __init__(self) -> None:
        self._fixtures: dict[str, float] = defaultdict(float)
        self._nested = [0.0]
        spent.count_calls()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None]:
        begun = time.perf_counter()
        self._nested.append(0.0)
        yield
        elapsed = time.perf_counter() - begun
        self._fixtures[fixturedef.argname] += elapsed - self._nested.pop()
        self._nested[-1] += elapsed

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, Any]:
        made = yield
        report = made.get_result()
        report.fixtures = {name: round(seconds, 4) for name, seconds in self._fixtures.items() if seconds > 0.001}
        report.kinds = spent.take_totals()
        self._fixtures.clear()


class RunDurations:
    """Collects what the workers measured and writes it down when the run ends."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self._collected = 0.0
        self._tests: dict[str, TestRecord] = {}

    @pytest.hookimpl
    def pytest_collection_finish(self) -> None:
        self._collected = self._collected or time.perf_counter() - self._begun

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: Any) -> None:
        test = self._tests.setdefault(report.nodeid, TestRecord())
        test.worker = getattr(report, "worker_id", "main")
        test.outcome = report.outcome if test.outcome in ("", "passed") else test.outcome
        test.phases[report.when] = round(report.duration, 4)
        test.fixtures.update(getattr(report, "fixtures", {}))
        for kind, seconds in getattr(report, "kinds", {}).items():
            test.kinds[kind] = test.kinds.get(kind, 0.0) + seconds

    @pytest.hookimpl
    def pytest_sessionfinish(self) -> None:
        if not self._tests:
            return
        wall = time.perf_counter() - self._begun
        processors = sum(os.times()[:4])
        record = {
            "wall_seconds": round(wall, 1),
            "processor_seconds": round(processors, 1),
            "collection_seconds": round(self._collected, 1),
            "tests": {
                name: {
                    "seconds": round(test.seconds, 3),
                    "worker": test.worker,
                    "outcome": test.outcome,
                    "phases": test.phases,
                    "fixtures": test.fixtures,
                    "kinds": test.kinds,
                }
                for name, test in self._tests.items()
            },
        }
        FOLDER.mkdir(parents=True, exist_ok=True)
        text = json.dumps(record, indent=1)
        (FOLDER / time.strftime("%Y%m%dT%H%M%SZ.json", time.gmtime())).write_text(text)
        LATEST.write_text(text)
        for old in sorted(FOLDER.glob("2*.json"))[:-_KEPT]:
            old.unlink()


def file_of(test: str) -> str:
    """The file of a test, by its node id."""
    return test.partition("::")[0]


def totals(pairs: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """Sums by name, the largest first."""
    counted: dict[str, float] = defaultdict(float)
    for name, seconds in pairs:
        counted[name] += seconds
    return sorted(counted.items(), key=lambda pair: -pair[1])
