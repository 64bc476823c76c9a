"""The report of `./run test --durations-report`: where the time of the last run went."""

import json
from collections.abc import Iterable
from typing import Any

from tests.suite import durations

_ROWS = 20


def print_report() -> int:
    """Print the last run's time by kind of work, layer, fixture, file and test. Returns 1 if there was no run."""
    if not durations.LATEST.exists():
        print("No run has been recorded in this checkout: ./run test first.")
        return 1
    run: dict[str, Any] = json.loads(durations.LATEST.read_text())
    tests: dict[str, Any] = run["tests"]
    total = sum(test["seconds"] for test in tests.values())
    print(
        f"{len(tests)} tests, {total / 60:.1f} minutes of tests in {run['wall_seconds'] / 60:.1f} minutes on "
        f"{run['workers']} workers; processors worked {run['processor_seconds'] / 60:.1f} minutes, memory rose by "
        f"{run['memory_peak_bytes'] / 2**30:.1f} GiB at most, collection took {run['collection_seconds']:.0f} s."
    )
    named = [(kind, seconds) for test in tests.values() for kind, seconds in test["kinds"].items()]
    other = total - sum(seconds for _, seconds in named)
    _table("kind of work", [*named, ("the tests' own", other)], total)
    _table("phase", ((name, s) for test in tests.values() for name, s in test["phases"].items()), total)
    _table("layer", ((name.split("/")[1], test["seconds"]) for name, test in tests.items()), total)
    _table("worker", ((test["worker"], test["seconds"]) for test in tests.values()), total)
    _table("fixture (set-up)", ((n, s) for test in tests.values() for n, s in test["fixtures"].items()), total)
    _table("file", ((durations.file_of(name), test["seconds"]) for name, test in tests.items()), total)
    processor = sum(test.get("processor", 0.0) for test in tests.values())
    worked = ((durations.file_of(name), test.get("processor", 0.0)) for name, test in tests.items())
    _table("file, by what its worker's processor did", worked, processor)
    _table("test", ((name, test["seconds"]) for name, test in tests.items()), total)
    return 0


def _table(title: str, pairs: Iterable[tuple[str, float]], total: float) -> None:
    print(f"\n{'seconds':>9}  {'share':>6}  {title}")
    for name, seconds in durations.totals(pairs)[:_ROWS]:
        print(f"{seconds:9.1f}  {seconds / max(total, 0.001):6.1%}  {name}")
