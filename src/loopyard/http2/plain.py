"""Heads of HTTP/2 without Huffman coding: `hpack` codes it in Python, in time that grows with the square of a value's
length, and would hold the event loop for seconds."""

from typing import Any

from h2.connection import H2Connection
from hpack import Encoder

from loopyard.http2 import huffman

huffman.install()


class PlainEncoder(Encoder):
    """Codes heads as they are. Every decoder takes that (RFC 7541, 5.2)."""

    def encode(self, headers: Any, huffman: bool = False) -> bytes:  # noqa: ARG002
        return super().encode(headers, huffman=False)


def without_huffman(connection: H2Connection) -> H2Connection:
    """The connection, before its first head, with an encoder that costs no more than the head is long."""
    connection.encoder = PlainEncoder()
    return connection
