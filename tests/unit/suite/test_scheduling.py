"""The scheduler of the suite's workers."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.suite.scheduling import WeightedScheduler, order_units, unit_of, weights


class FakeWorker:
    """A worker that runs each test but its last one, which it holds back until it gets more or is shut down."""

    def __init__(self, tests: Sequence[str]) -> None:
        self.tests = tests
        self.queue: list[int] = []
        self.shutting_down = False

    def send_runtest_some(self, indices: Sequence[int]) -> None:
        assert not self.shutting_down
        self.queue += indices

    def shutdown(self) -> None:
        self.shutting_down = True

    @property
    def can_run(self) -> bool:
        return len(self.queue) > (0 if self.shutting_down else 1)


def run_all(tests: Sequence[str], workers: int, seed: int, crash: str | None = None) -> list[str]:
    """Run tests on workers in a random interleaving. Returns the tests in the order in which they ended."""
    scheduler = WeightedScheduler(workers, weights({}))
    nodes = [FakeWorker(tests) for _ in range(workers)]
    for node in nodes:
        scheduler.add_node(node)
    for node in nodes:
        assert not scheduler.collection_is_completed
        scheduler.add_node_collection(node, tests)
    scheduler.schedule()
    chance, ended = random.Random(seed), list[str]()  # noqa: S311
    while scheduler.has_pending:
        able = [node for node in nodes if node.can_run]
        assert able, f"stuck after {len(ended)} of {len(tests)}"
        node = chance.choice(able)
        index = node.queue.pop(0)
        if tests[index] == crash:
            crash = None
            assert scheduler.remove_node(node) == tests[index]
            nodes[nodes.index(node)] = new = FakeWorker(tests)
            scheduler.add_node(new)
            scheduler.add_node_collection(new, tests)
            scheduler.schedule()
            continue
        ended.append(tests[index])
        scheduler.mark_test_complete(node, index)
    assert scheduler.tests_finished
    return ended


FILES = st.lists(
    st.tuples(st.sampled_from(["tests/unit", "tests/integration/a", "tests/slow/serial"]), st.integers(1, 5)),
    max_size=9,
)


@given(FILES, st.integers(1, 5), st.integers(0, 99))
def test_every_test_runs_once_and_the_serial_ones_last(files: list[tuple[str, int]], workers: int, seed: int) -> None:
    tests = [
        f"{folder}/test_{number}.py::test_{test}"
        for number, (folder, count) in enumerate(files)
        for test in range(count)
    ]
    ended = run_all(tests, workers, seed)
    assert sorted(ended) == sorted(tests)
    serial = ["/serial/" in test for test in ended]
    assert serial == sorted(serial)


@given(st.integers(1, 4), st.integers(0, 99), st.integers(0, 11))
def test_the_tests_of_a_crashed_worker_go_to_others(workers: int, seed: int, crashed: int) -> None:
    tests = [f"tests/unit/test_{number // 3}.py::test_{number}" for number in range(12)]
    ended = run_all(tests, workers, seed, crash=tests[crashed])
    assert sorted(ended) == sorted(set(tests) - {tests[crashed]})


def test_heavy_files_come_first() -> None:
    tests = ["tests/unit/light.py::test_a", "tests/slow/heavy.py::test_b", "tests/slow/heavy.py::test_c"]
    parallel, serial = order_units(tests, weights({"tests/slow/heavy.py": 100.0, "tests/unit/light.py": 2.0}))
    assert list(parallel.values()) == [tests[1:], tests[:1]]
    assert serial == {}


def test_all_tests_on_docker_are_one_unit() -> None:
    assert unit_of("tests/a.py::test_x[docker]") == unit_of("tests/b.py::test_y[docker-5]") == "docker"
    assert unit_of("tests/a.py::test_x[crun]") == "tests/a.py"


def test_workers_that_collect_different_tests_are_refused() -> None:
    scheduler = WeightedScheduler(2, weights({}))
    for tests in (["a.py::test_1"], ["a.py::test_2"]):
        node = FakeWorker(tests)
        scheduler.add_node(node)
        scheduler.add_node_collection(node, tests)
    with pytest.raises(RuntimeError, match="different tests"):
        scheduler.schedule()
