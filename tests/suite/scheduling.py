"""The order in which workers get tests: heavy files first, each file whole, and the serial tests last, on one worker.

A worker of pytest-xdist holds its last test back until it gets another or is shut down. So a worker is given its next
unit while it still has one test.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from tests.suite.layers import folders_of, is_serial


class WorkerController(Protocol):
    """A worker, as pytest-xdist has it in its own class of this name."""

    @property
    def shutting_down(self) -> bool: ...

    def send_runtest_some(self, indices: Sequence[int]) -> None: ...

    def shutdown(self) -> None: ...


Units = dict[str, list[str]]
"""A unit of work to its tests: tests that share fixtures and so run on one worker, in their order."""

Weigh = Callable[[Sequence[str]], float]
"""Gives the expected seconds of a unit."""


def unit_of(test: str) -> str:
    """The unit of a test, by its node id: its file. The tests on Docker are one unit, so that one engine serves all."""
    if "[docker" in test:
        return "docker"
    return test.partition("::")[0]


def order_units(tests: Iterable[str], seconds: Weigh) -> tuple[Units, Units]:
    """The units of these tests, those with the most `seconds` first; and the serial ones."""
    units: Units = {}
    for test in tests:
        units.setdefault(unit_of(test), []).append(test)
    heaviest = sorted(units.items(), key=lambda pair: -seconds(pair[1]))
    parallel = {name: unit for name, unit in heaviest if not is_serial(unit[0])}
    return parallel, {name: unit for name, unit in heaviest if is_serial(unit[0])}


class WeightedScheduler:
    """Hands units to workers, the heaviest first. Implements the scheduler protocol of pytest-xdist 3."""

    def __init__(self, workers: int, seconds: Weigh) -> None:
        self._workers = workers
        self._seconds = seconds
        self._collections: dict[WorkerController, list[str]] = {}
        self._pending: dict[WorkerController, list[str]] = {}
        self._queue: list[list[str]] = []
        self._serial: list[list[str]] = []
        self._begun = False

    @property
    def nodes(self) -> list[WorkerController]:
        return list(self._pending)

    @property
    def collection_is_completed(self) -> bool:
        return self._begun or len(self._collections) >= self._workers

    @property
    def tests_finished(self) -> bool:
        waiting = self._queue or self._serial
        return self.collection_is_completed and not waiting and all(len(tests) < 2 for tests in self._pending.values())

    @property
    def has_pending(self) -> bool:
        return bool(self._queue or self._serial or any(self._pending.values()))

    def add_node(self, node: WorkerController) -> None:
        self._pending[node] = []

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        self._collections[node] = list(collection)

    def schedule(self) -> None:
        """Begin once every worker has collected; later, give work to workers that replace crashed ones.

        Raises:
            RuntimeError: Workers collected different tests.
        """
        if not self._begun:
            self._begun = True
            first, *others = self._collections.values()
            for other in others:
                if other != first:
                    different = sorted(set(first) ^ set(other))[:5] or "their order"
                    raise RuntimeError(f"Workers collected different tests: {different}. Make parameters' ids fixed.")
            parallel, serial = order_units(first, self._seconds)
            self._queue, self._serial = list(parallel.values()), list(serial.values())
        for _ in range(2):
            for node in self.nodes:
                self._give(node)

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:  # noqa: ARG002
        self._pending[node].remove(self._collections[node][item_index])
        self._give(node)
        if not self._queue:
            for each in self.nodes:
                self._give(each)

    def remove_node(self, node: WorkerController) -> str | None:
        """Take a worker off. Returns the test that it crashed in; the rest of its tests go back into the queue."""
        left = self._pending.pop(node)
        if not left:
            for each in self.nodes:
                self._give(each)
            return None
        crashed, *rest = left
        if rest:
            (self._serial if is_serial(rest[0]) else self._queue).insert(0, rest)
        for each in self.nodes:
            self._give(each)
        return crashed

    def mark_test_pending(self, item: str) -> None:
        raise NotImplementedError

    def remove_pending_tests_from_node(self, node: WorkerController, indices: Sequence[int]) -> None:
        raise NotImplementedError

    def _give(self, node: WorkerController) -> None:
        """Give a worker the next unit if it is nearly out of tests. The last worker gets the serial ones when all
        others are through; a worker for which nothing is left is shut down."""
        if node.shutting_down or len(self._pending[node]) > 1 or node not in self._collections:
            return
        if self._queue:
            self._send(node, self._queue.pop(0))
        elif self._serial and self._is_last(node):
            if not any(tests for other, tests in self._pending.items() if other is not node):
                self._send(node, self._serial.pop(0))
        else:
            node.shutdown()

    def _is_last(self, node: WorkerController) -> bool:
        return all(other is node or other.shutting_down for other in self._pending)

    def _send(self, node: WorkerController, unit: list[str]) -> None:
        self._pending[node] += unit
        index = {test: number for number, test in enumerate(self._collections[node])}
        node.send_runtest_some([index[test] for test in unit])


_UNKNOWN_SECONDS = {"slow": 60.0, "integration": 5.0}
"""Files that no recorded run knows, by their layer; a second for others."""


def weights(recorded: Mapping[str, float]) -> Weigh:
    """The expected seconds of a unit, by what its files took in a recorded run."""

    def of_file(file: str) -> float:
        layer = next((name for name in folders_of(file) if name in _UNKNOWN_SECONDS), "")
        return recorded.get(file, _UNKNOWN_SECONDS.get(layer, 1.0))

    def seconds(tests: Sequence[str]) -> float:
        return sum(of_file(file) for file in {test.partition("::")[0] for test in tests})

    return seconds
