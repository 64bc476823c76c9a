"""Full garbage collections come when little goes on, and look at little."""

import pytest

from loopyard.kit.host import garbage
from loopyard.kit.host.garbage import IdleCollections

pytestmark = pytest.mark.anyio


class Collector:
    """The interpreter's garbage collector, which only notes down its calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def collect(self) -> None:
        self.calls.append("collect")

    def freeze(self) -> None:
        self.calls.append("freeze")

    def unfreeze(self) -> None:
        self.calls.append("unfreeze")

    def set_threshold(self, *_: int) -> None:
        self.calls.append("set_threshold")

    def taken(self) -> list[str]:
        calls, self.calls = self.calls, []
        return calls


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Collector:
    fake = Collector()
    monkeypatch.setattr(garbage, "gc", fake)
    return fake


async def test_the_start_is_kept_for_good_and_no_full_collection_comes_by_itself(collector: Collector) -> None:
    IdleCollections(lambda: 0).begin()
    assert collector.taken() == ["collect", "freeze", "set_threshold"]


async def test_what_is_alive_is_looked_at_once(collector: Collector) -> None:
    collections = IdleCollections(lambda: 0)
    for _ in range(3):
        await collections.collect()
        assert collector.taken() == ["collect", "freeze"]


async def test_they_are_put_off_while_much_goes_on_but_not_for_ever(collector: Collector) -> None:
    collections = IdleCollections(lambda: 1000)
    for _ in range(60):
        await collections.collect()
    assert collector.taken() == []
    await collections.collect()
    assert collector.taken() == ["collect", "freeze"]
    await collections.collect()
    assert collector.taken() == []


async def test_once_a_day_all_is_looked_at(collector: Collector) -> None:
    collections = IdleCollections(lambda: 0)
    for _ in range(24 * 60 - 1):
        await collections.collect()
    assert "unfreeze" not in collector.taken()
    await collections.collect()
    assert collector.taken() == ["unfreeze", "collect", "freeze"]
