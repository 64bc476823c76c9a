"""The suite's plug-in of pytest: markers of layers, durations, and the scheduler of workers."""

import gc
import json
from pathlib import Path
from typing import Any

import pytest

from tests.suite import authorities, layers
from tests.suite.durations import RunDurations, WorkerDurations
from tests.suite.early_teardown import EarlyTeardown
from tests.suite.scheduling import WeightedScheduler, weights

WEIGHTS = Path(__file__).with_name("weights.json")
"""Seconds of each file in a recorded run (`python -m tests.suite.record`)."""


_COLLECTED_AFTER = (20_000, 20, 20)
"""Thresholds of garbage collection in workers: the interpreter's own cost tests a tenth of their time."""


def pytest_collection_finish() -> None:
    """Leave what collection has made out of garbage collections: thousands of tests that live to the end."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTED_AFTER)


def pytest_configure(config: pytest.Config) -> None:
    authorities.load_once()
    is_worker = hasattr(config, "workerinput")
    workers = config.getoption("numprocesses", None)
    if is_worker or not workers:
        config.pluginmanager.register(WorkerDurations(is_worker=is_worker))
        config.pluginmanager.register(EarlyTeardown())
    if not is_worker:
        config.pluginmanager.register(RunDurations())
        if workers:
            config.pluginmanager.register(_Schedule())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    layers.mark(items)
    items.sort(key=lambda item: layers.is_serial(item.nodeid))


class _Schedule:
    """Chooses the scheduler of pytest-xdist."""

    def pytest_xdist_make_scheduler(self, config: pytest.Config) -> Any:
        recorded: dict[str, float] = json.loads(WEIGHTS.read_text()) if WEIGHTS.exists() else {}
        return WeightedScheduler(int(config.getoption("numprocesses") or 1), weights(recorded))
