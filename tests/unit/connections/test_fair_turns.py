"""Fair turns: so much work in each turn of the loop, in turns by address and key."""

import asyncio
import logging

import pytest

from loopyard.connections.fair_turns import BEGINNING, REQUEST, Client, FairTurns, Line, client_of

pytestmark = pytest.mark.anyio

AT_ONCE = -(-BEGINNING // REQUEST)
"""How many requests begin in one turn."""


class Site:
    """Fair turns, and what was done in which turn of the loop."""

    def __init__(self) -> None:
        self.turns = FairTurns(BEGINNING)
        self.done: list[list[object]] = [[]]

    def ask(self, name: object, client: Client = ("192.0.2.1", b""), cost: int = REQUEST) -> None:
        self.turns.do(lambda: client, cost, lambda: self.done[-1].append(name))

    async def pass_turns(self, count: int) -> None:
        for _ in range(count):
            self.done.append([])
            await asyncio.sleep(0)

    @property
    def order(self) -> list[object]:
        return [name for turn in self.done for name in turn]


@pytest.fixture
def site() -> Site:
    return Site()


async def test_a_request_alone_begins_at_once(site: Site) -> None:
    site.ask("one")
    assert site.done == [["one"]]


async def test_each_turn_begins_a_few(site: Site) -> None:
    for number in range(10 * AT_ONCE):
        site.ask(number)
    await site.pass_turns(20)
    assert [len(turn) for turn in site.done if turn] == [AT_ONCE] * 10
    assert site.order == list(range(10 * AT_ONCE))


async def test_a_turn_that_has_begun_as_many_as_it_may_begins_no_more_of_others(site: Site) -> None:
    for number in range(AT_ONCE):
        site.ask(number)
    site.ask("other", ("192.0.2.2", b""))
    assert "other" not in site.order
    await site.pass_turns(1)
    assert "other" in site.order


async def test_one_request_is_not_behind_the_thousand_of_another_address(site: Site) -> None:
    for number in range(1000):
        site.ask(number)
    site.ask("other", ("192.0.2.2", b""))
    await site.pass_turns(1000)
    assert site.order.index("other") <= AT_ONCE + 1
    assert len(site.order) == 1001


async def test_keys_of_one_address_take_turns(site: Site) -> None:
    for number in range(1000):
        site.ask(number, ("192.0.2.1", b"Bearer a"))
    site.ask("other", ("192.0.2.1", b"Bearer b"))
    await site.pass_turns(1000)
    assert site.order.index("other") <= AT_ONCE + 1


async def test_made_up_keys_bring_an_address_no_more_turns(site: Site) -> None:
    for number in range(1000):
        site.ask(number, ("192.0.2.1", b"Bearer %d" % number))
    for number in range(3):
        site.ask(f"other {number}", ("192.0.2.2", b"Bearer"))
    await site.pass_turns(1000)
    assert site.order.index("other 2") <= AT_ONCE + 2 * 3


async def test_work_that_asks_for_more_work_does_not_prolong_the_turn(site: Site) -> None:
    def again() -> None:
        site.ask("again")
        site.turns.do(lambda: ("192.0.2.1", b""), REQUEST, again)

    again()
    assert len(site.order) < AT_ONCE
    await site.pass_turns(5)
    assert all(len(turn) <= AT_ONCE for turn in site.done)


async def test_a_failure_stops_nobody_else(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ValueError("broken")

    for number in range(AT_ONCE):
        site.ask(number)
    site.turns.do(lambda: ("192.0.2.1", b""), REQUEST, fail)
    site.ask("after")
    with caplog.at_level(logging.ERROR):
        await site.pass_turns(2)
    assert "after" in site.order
    assert "broken" in caplog.text


async def test_a_site_at_rest_costs_the_loop_nothing(site: Site) -> None:
    site.ask("one")
    await site.pass_turns(3)
    assert site.turns._next is None  # pyright: ignore[reportPrivateUsage]


def test_addresses_of_one_network_of_ipv6_are_one_client() -> None:
    line = Line()
    for address in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"):
        line.put((address, b""), (1, lambda: None))
        line.put((address, address.encode()), (2, lambda: None))
    assert len(line._keys_of) == 2  # pyright: ignore[reportPrivateUsage]


def test_a_client_is_its_address_and_the_key_that_it_shows() -> None:
    headers = [(b"host", b"x"), (b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")]
    assert client_of(("192.0.2.1", 5), headers) == ("192.0.2.1", b"Bearer a")
    assert client_of(("192.0.2.1", 5), None) == ("192.0.2.1", b"")
    assert client_of(None, []) == ("", b"")
