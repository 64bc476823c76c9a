"""Heads of requests and answers, whatever protocol carries them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from loopyard.upstream_proxy.hop import Field

CHUNK_BYTES = 1 << 18
"""The largest piece of a body that is taken at a time: 256 KiB."""
BUFFER_BYTES = 1 << 16
"""How much a connection reads ahead before it lets the other side wait."""
HEAD_BYTES = 1 << 17
"""The longest head of a request or answer: 128 KiB."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """`has_body` tells that a body follows. `upgrade` asks to go on with this protocol (`websocket`)."""

    method: str
    target: str
    authority: str
    fields: list[Field]
    has_body: bool
    upgrade: str | None = None


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """`upgraded` tells that both sides go on with the protocol that was asked for."""

    status: int
    reason: str
    fields: list[Field]
    upgraded: bool = False


class UpstreamConnection(Protocol):
    """A connection that carries one exchange at a time. Sending and receiving go on at the same time."""

    reused: bool
    """True if it has carried an exchange before."""

    async def send_head(self, head: RequestHead) -> None: ...

    async def send(self, chunk: bytes) -> None:
        """Send a piece of the body; returns when the upstream takes more."""
        ...

    async def send_end(self, trailers: list[Field]) -> None: ...

    async def answer(self) -> AnswerHead:
        """The answer's head; interim answers are left out.

        Raises:
            UpstreamFault.
        """
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The answer's body, piece by piece, and after an upgrade whatever comes.

        Raises:
            UpstreamFault.
        """
        ...

    @property
    def trailers(self) -> list[Field]:
        """Fields after the body."""
        ...

    @property
    def reusable(self) -> bool:
        """True if the exchange is over and another may follow."""
        ...

    def begin(self) -> bool:
        """Begin a further exchange; false if the connection is closed."""
        ...

    def close(self) -> None: ...
