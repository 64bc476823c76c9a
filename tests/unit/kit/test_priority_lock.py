"""Who has a turn when."""

import asyncio

import pytest

from loopyard.kit.background.priority_lock import PriorityLock

pytestmark = pytest.mark.anyio


class Order:
    """Has turns taken, and remembers in which order they came."""

    def __init__(self) -> None:
        self.turns = PriorityLock()
        self.had: list[str] = []
        self.at_once = 0

    async def take(self, name: str, *, last: bool = False) -> None:
        async with self.turns.turn(last=last):
            self.at_once += 1
            assert self.at_once == 1, "one at a time"
            self.had.append(name)
            await asyncio.sleep(0)
            self.at_once -= 1

    def ask(self, *names: str) -> list[asyncio.Task[None]]:
        """Ask for turns; names in capitals go last."""
        return [asyncio.create_task(self.take(name, last=name.isupper())) for name in names]


async def test_those_who_begin_something_new_go_last() -> None:
    order = Order()
    await asyncio.gather(*order.ask("A", "B", "c", "D", "e"))
    assert order.had == ["A", "c", "e", "B", "D"]


async def test_those_who_go_last_are_not_left_waiting_for_ever() -> None:
    order = Order()
    first = [f"f{number}" for number in range(40)]
    await asyncio.gather(*order.ask("begin", "A", "B", *first))
    assert order.had[0] == "begin"
    places = [order.had.index(name) for name in ("A", "B")]
    assert places == [9, 18]
    assert [name for name in order.had[1:] if not name.isupper()] == first


async def test_a_turn_is_free_again_after_one_that_failed() -> None:
    turns = PriorityLock()
    with pytest.raises(ValueError, match="failed"):
        async with turns.turn():
            raise ValueError("failed")
    async with asyncio.timeout(1), turns.turn(last=True):
        pass


@pytest.mark.parametrize("granted", [False, True])
async def test_whoever_stops_waiting_takes_nobodys_turn(*, granted: bool) -> None:
    order = Order()
    async with order.turns.turn():
        leaving, staying = order.ask("leaving", "staying")
        await asyncio.sleep(0)
        if not granted:
            leaving.cancel()
            await asyncio.sleep(0)
    if granted:
        leaving.cancel()  # it has been given the turn, and does not know yet
    async with asyncio.timeout(1):
        await staying
    assert order.had == ["staying"]
    assert leaving.cancelled()
    async with asyncio.timeout(1), order.turns.turn():
        pass
