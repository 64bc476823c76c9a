"""Bounded work in each turn of the event loop. What is left over waits, and clients take it in turns.

One client may send a thousand requests at once. Begun all together, they would hold the loop for as long as all their
first steps take, and everybody else would stand behind them.
"""

import asyncio
import ipaddress
import logging
from collections import deque
from collections.abc import Callable

log = logging.getLogger("loopyard.connections")

READING, BEGINNING = 100, 200
"""How much is read in one turn of the loop, and how much is begun of what was read. The unit is about 10 µs of a
server's processor. They are apart so that a short head is not read as late as a thousand requests are begun."""

REQUEST = 100
"""A request, from its head to where it first waits."""

PARTING = 30
"""A request whose client is gone: the application is told, and cleans up."""

Client = tuple[str, bytes]
"""Address of a client, and the key that it claims to have."""

_Work = tuple[int, Callable[[], object]]


class Line:
    """Work that waits. Each address is next in turn, and of each address each key: many made-up keys, or many
    connections, do not bring an address more turns than others have."""

    def __init__(self) -> None:
        self._keys_of: dict[str, dict[bytes, deque[_Work]]] = {}

    def __bool__(self) -> bool:
        return bool(self._keys_of)

    def put(self, client: Client, work: _Work) -> None:
        address, key = client
        self._keys_of.setdefault(_network(address), {}).setdefault(key, deque()).append(work)

    def take(self) -> _Work:
        """The work that is next. There must be some."""
        address = next(iter(self._keys_of))
        keys = self._keys_of.pop(address)
        key = next(iter(keys))
        works = keys.pop(key)
        work = works.popleft()
        if works:
            keys[key] = works
        if keys:
            self._keys_of[address] = keys
        return work


class FairTurns:
    """Work of one kind, of all connections to a server's port: so much in each turn of the loop."""

    def __init__(self, units: int) -> None:
        self._units = self._left = units
        self._line = Line()
        self._next: asyncio.Handle | None = None

    def do(self, client: Callable[[], Client], cost: int, act: Callable[[], object]) -> None:
        """Do it now if nobody waits and this turn has time left, else in a later turn. Work of one client is done in
        the order in which it was given."""
        if self._next is None:
            self._next = asyncio.get_running_loop().call_soon(self._begin_turn)
        if self._left > 0 and not self._line:
            self._left -= cost
            act()
        else:
            self._line.put(client(), (cost, act))

    def _begin_turn(self) -> None:
        self._left, self._next = self._units, None
        if self._line:
            self._next = asyncio.get_running_loop().call_soon(self._begin_turn)
        while self._line and self._left > 0:
            cost, act = self._line.take()
            self._left -= cost
            try:
                act()
            except Exception:
                log.exception("work of a connection failed")


def _network(address: str) -> str:
    """Addresses of one client: one of IPv4; in IPv6 a /64, of which it may use any."""
    if ":" not in address:
        return address
    try:
        return ipaddress.IPv6Address(address).exploded[:19]
    except ValueError:
        return address


def client_of(address: tuple[str, int | None] | None, headers: list[tuple[bytes, bytes]] | None) -> Client:
    """The client of a connection, by the head of its newest request."""
    key = next((value for name, value in headers or () if name == b"authorization"), b"")
    return (address[0] if address else "", key)
