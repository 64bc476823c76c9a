"""Interfaces between the gateway and whoever meters or records the calls that pass through it.

The proxy runs in a process of its own. An `Observer` lives there, beside the bytes, and has no database; what it
concludes it sends by `Report` to the server's process, where a `Ledger` stores it. A `Ledger` also decides, before a
call is forwarded, whether its run may still spend.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

Headers = Sequence[tuple[str, str]]
"""Header fields in order, names in lower case. Credentials, the caller's and the upstream's, are never among them."""

Report = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Sends JSON data (at most 8 MiB) about one call to the server, and returns once `Ledger.record` has stored it."""


@dataclass(frozen=True, slots=True)
class Call:
    """Call through a gateway: an HTTP request, or the opening of a WebSocket."""

    id: str
    """Unique; a report may be stored under it."""
    account_id: str
    devbox_id: str
    scenario_run_id: str | None
    """The run whose environment the devbox is."""
    gateway_id: str
    gateway_name: str
    host: str
    """The upstream's host name, lower case, without a port."""
    method: str
    path: str
    """The target as it goes upstream: the endpoint's path and the caller's, with the query."""
    started_ms: int
    """Milliseconds since the epoch."""
    record: bool
    """True if the exchange is to be recorded."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that the caller gets in place of the upstream's."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Observer(Protocol):
    """Sees one call as it passes: `request`, `request_body`..., `response`, `body`..., `end`. The methods are called on
    the proxy's event loop between one chunk and the next, so they must be quick and must not block. An exception is
    logged and ends the observation, never the call."""

    def request(self, headers: Headers) -> None:
        """The request's header fields; called first."""
        ...

    def request_body(self, chunk: bytes) -> None:
        """A piece of the request's body, of any size. Pieces of it may come after those of the answer."""
        ...

    def response(self, status: int, headers: Headers) -> None:
        """The answer's head. Not called if there is none."""
        ...

    def body(self, chunk: bytes) -> None:
        """A piece of the answer's body as it came: still encoded as `content-encoding` says."""
        ...

    async def end(self, error: str | None) -> None:
        """The call is over; called last, once. `error` says what cut it off. May send a report. The caller's
        connection does not wait for it."""
        ...


class Observation(Protocol):
    """Makes observers, in the proxy's process."""

    def observe(self, call: Call, report: Report, known: Sequence[str]) -> Observer | None:
        """An observer of this call; None if nobody wants to see it. `known` are the credentials that go with it, which
        are kept nowhere."""
        ...


class OpensObservation(Protocol):
    """Makes the observation of a proxy process."""

    def __call__(self, folder: Path) -> Observation:
        """`folder` is there, belongs to the server alone, and is kept: recordings may be written there."""
        ...


class Ledger(Protocol):
    """Keeps account of calls, in the server's process, where the database is."""

    async def check(self, call: Call) -> Refusal | None:
        """Decide whether the call may be made; None lets it pass. Called before anything goes upstream."""
        ...

    async def record(self, call: Call, report: Mapping[str, Any]) -> None:
        """Store a report of this call; committed when it returns."""
        ...

    async def records(self, devbox_id: str) -> bool | None:
        """True if the devbox's calls are to be recorded; None leaves it to the server's setting."""
        ...

    async def proxy_ended(self) -> None:
        """Take note that no report will come of the calls that go on."""
        ...


class NoLedger:
    """A ledger for servers that keep no account."""

    async def check(self, call: Call) -> Refusal | None:
        """Let every call pass."""

    async def record(self, call: Call, report: Mapping[str, Any]) -> None:
        """Forget the report."""

    async def records(self, devbox_id: str) -> bool | None:
        """Leave it to the setting."""

    async def proxy_ended(self) -> None:
        """Take no note."""


class NoObservation:
    """An observation that sees nothing."""

    def observe(self, call: Call, report: Report, known: Sequence[str]) -> Observer | None:
        """See nothing."""
