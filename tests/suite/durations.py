"""Durations of every test, fixture and file, kept as JSON with each run (`.loopyard/durations`)."""

import contextlib
import json
import os
import resource
import threading
import time
from collections import defaultdict
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.suite import spent

FOLDER = Path(__file__).parents[2] / ".loopyard" / "durations"
LATEST = FOLDER / "latest.json"
_SECOND = FOLDER / "second-try.json"
SECOND_TRY = "LOOPYARD_TEST_SECOND_TRY"
"""The variable that is set while failed tests are tried again: such a run is not a record of durations."""
_KEPT = 20
_LINES_SHOWN, _LINE_SHOWN = 12, 300


@dataclass
class TestRecord:
    """One test: the seconds of its set-up, call and teardown, of the fixtures it was the first to ask for, and of each
    kind of work; those that a processor worked for it in its worker, and in programs which that has seen end; and what
    it printed if it failed."""

    __test__ = False

    worker: str = "main"
    outcome: str = ""
    output: str = ""
    processor: float = 0.0
    phases: dict[str, float] = field(default_factory=dict[str, float])
    fixtures: dict[str, float] = field(default_factory=dict[str, float])
    kinds: dict[str, float] = field(default_factory=dict[str, float])

    def add(self, report: Any, *, keep_output: bool) -> None:
        """Add what pytest reports of one phase."""
        self.worker = getattr(report, "worker_id", "main")
        if self.outcome in ("", "passed"):
            self.outcome = report.outcome
        self.phases[report.when] = round(report.duration, 4)
        self.processor = round(self.processor + getattr(report, "processor", 0.0), 4)
        self.fixtures.update(getattr(report, "fixtures", {}))
        for kind, seconds in getattr(report, "kinds", {}).items():
            self.kinds[kind] = self.kinds.get(kind, 0.0) + seconds
        if report.failed or (keep_output and report.when == "teardown"):
            sections = [f"[{title}]\n{text}" for title, text in report.sections]
            self.output += "\n".join([report.longreprtext, *sections])

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "seconds": round(sum(self.phases.values()), 3)}


class WorkerDurations:
    """Measures in the process that runs the tests; the figures travel with pytest's own reports."""

    def __init__(self, *, is_worker: bool) -> None:
        self._is_worker = is_worker
        self._fixtures: dict[str, float] = defaultdict(float)
        self._nested = [0.0]
        self._processor = _processor_seconds()
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
        before, self._processor = self._processor, _processor_seconds()
        report.processor = self._processor - before + spent.take_processor()
        self._fixtures.clear()
        if report.passed and self._is_worker:
            report.sections = []  # what passed tests print and log is read by nobody, and travels to another process


def _processor_seconds() -> float:
    """The seconds of a processor that this process has taken, and those of its children that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


class RunDurations:
    """Collects the figures of all workers, and writes them down when the run ends."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self._busy = _busy_seconds()
        self._collected = 0.0
        self._tests: dict[str, TestRecord] = defaultdict(TestRecord)
        self._memory = _MemoryPeak()

    def pytest_collection_finish(self) -> None:
        self._note_collected()

    def pytest_runtest_logreport(self, report: Any) -> None:
        self._note_collected()
        self._tests[report.nodeid].add(report, keep_output=SECOND_TRY in os.environ)
        if report.failed:
            print(f"\nfailed at {report.when}: {report.nodeid}\n{_reason(report)}", flush=True)

    def pytest_sessionfinish(self) -> None:
        self._memory.stop()
        if not self._tests:
            return
        run = {
            "wall_seconds": round(time.perf_counter() - self._begun, 1),
            "processor_seconds": round(_busy_seconds() - self._busy, 1),
            "collection_seconds": round(self._collected, 1),
            "memory_peak_bytes": self._memory.risen,
            "workers": len({test.worker for test in self._tests.values()}),
            "tests": {name: test.to_json() for name, test in self._tests.items()},
        }
        with contextlib.suppress(PermissionError):  # it may be root's, where the unit layer is run by somebody else
            _keep(json.dumps(run, indent=1))

    def _note_collected(self) -> None:
        self._collected = self._collected or time.perf_counter() - self._begun


def _keep(text: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    if SECOND_TRY in os.environ:
        _SECOND.write_text(text)
        return
    (FOLDER / time.strftime("%Y%m%dT%H%M%SZ.json", time.gmtime())).write_text(text)
    LATEST.write_text(text)
    for old in sorted(FOLDER.glob("2*.json"))[:-_KEPT]:
        old.unlink()


def _reason(report: Any) -> str:
    """The last lines of a failure. All of it follows at the end of the run, which may be cut off before."""
    return "\n".join(f"    {line[:_LINE_SHOWN]}" for line in report.longreprtext.splitlines()[-_LINES_SHOWN:])


class _MemoryPeak:
    """How much memory of the machine is used at most beyond the beginning, looked at once a second."""

    def __init__(self) -> None:
        self.risen = 0
        self._ended = threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        before = psutil.virtual_memory().used
        while not self._ended.wait(1):
            self.risen = max(self.risen, psutil.virtual_memory().used - before)

    def stop(self) -> None:
        self._ended.set()


def _busy_seconds() -> float:
    """The seconds that the machine's processors have worked, all together."""
    times = psutil.cpu_times()
    return times.user + times.system + times.nice + times.irq + times.softirq


def outcomes() -> dict[str, str]:
    """The outcome of each test of the last run."""
    return {name: test["outcome"] for name, test in _tests_of(LATEST).items()}


def failures() -> dict[str, str]:
    """The tests of the last run that failed, each with its output."""
    return {name: test["output"] for name, test in _tests_of(LATEST).items() if test["outcome"] == "failed"}


def second_try() -> dict[str, Any]:
    """The tests that were tried again: each with `outcome` and `output`."""
    return _tests_of(_SECOND)


def _tests_of(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())["tests"] if path.exists() else {}


def file_of(test: str) -> str:
    """The file of a test, by its node id."""
    return test.partition("::")[0]


def totals(pairs: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """Sums by name, the largest first."""
    counted: dict[str, float] = defaultdict(float)
    for name, seconds in pairs:
        counted[name] += seconds
    return sorted(counted.items(), key=lambda pair: -pair[1])
