"""Bounds how often an address may try to log in with keys that are none."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

MOST_FAILURES = 10
WINDOW_SECONDS = 600.0
_MOST_SOURCES = 10_000


class Attempts:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    def wait_seconds(self, source: str) -> int:
        """How long this address has to wait until it may try again; 0 if it need not."""
        recent = self._recent(_network(source))
        return 0 if len(recent) < MOST_FAILURES else int(recent[0] + WINDOW_SECONDS - self._clock()) + 1

    def note_failure(self, source: str) -> None:
        network = _network(source)
        self._failures[network] = [*self._recent(network)[-MOST_FAILURES + 1 :], self._clock()]
        self._failures.move_to_end(network)
        while len(self._failures) > _MOST_SOURCES:
            self._failures.popitem(last=False)

    def forget(self, source: str) -> None:
        """A login succeeded."""
        self._failures.pop(_network(source), None)

    def _recent(self, network: str) -> list[float]:
        since = self._clock() - WINDOW_SECONDS
        return [at for at in self._failures.get(network, ()) if at > since]


def _network(source: str) -> str:
    """An IPv6 host has a whole /64 of addresses."""
    try:
        address = ipaddress.ip_address(source.partition("%")[0])
    except ValueError:
        return source
    if address.version == 4:
        return source
    return str(ipaddress.ip_network((address, 64), strict=False))
