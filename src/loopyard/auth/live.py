"""Live connections by the key that they were made with: they end with the key."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from loopyard.kit.errors import Unauthorized
from loopyard.kit.http.in_flight import InFlightRequests

End = Callable[[], object]


class LiveConnections:
    """The requests under way, and all that outlives a request (SSH connections, terminals, tunnels), by key."""

    def __init__(self, requests: InFlightRequests) -> None:
        self._requests = requests
        self._ends: dict[str, dict[int, End]] = {}
        self._number = 0

    @contextmanager
    def holding(self, key_id: str | None, end: End) -> Generator[None]:
        """Have `end` called if the key ends inside. It must not wait. None depends on no key."""
        if key_id is None:
            yield
            return
        self._number += 1
        number = self._number
        self._ends.setdefault(key_id, {})[number] = end
        try:
            yield
        finally:
            ends = self._ends.get(key_id, {})
            ends.pop(number, None)
            if not ends:
                self._ends.pop(key_id, None)

    def keys(self) -> set[str]:
        """The keys that something is held open with, besides requests."""
        return set(self._ends)

    def end(self, key_id: str) -> None:
        """End all that is open with the key, each once."""
        for end in self._ends.pop(key_id, {}).values():
            end()
        self._requests.end_marked(key_id, Unauthorized("This API key is not good any more; use another."))
