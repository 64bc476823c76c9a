"""An event as it passes through the server, and its form on the wire."""

from dataclasses import dataclass
from typing import Any

import orjson

from loopyard.axon.event.origins import Origin


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be appended. `size` is the payload's, in bytes of UTF-8."""

    event_type: str
    origin: Origin
    source: str
    payload: str
    size: int


@dataclass(frozen=True, slots=True)
class Event:
    """An event that is stored."""

    axon_id: str
    sequence: int
    timestamp_ms: int
    origin: Origin
    event_type: str
    source: str
    payload: str

    def view(self) -> dict[str, Any]:
        """The wire's AxonEventView."""
        return {
            "axon_id": self.axon_id,
            "event_type": self.event_type,
            "origin": self.origin.name,
            "payload": self.payload,
            "sequence": self.sequence,
            "source": self.source,
            "timestamp_ms": self.timestamp_ms,
        }

    def message(self) -> bytes:
        """The event as a server-sent message."""
        return b"data: %b\n\n" % orjson.dumps(self.view())
