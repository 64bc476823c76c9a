"""Bytes that a client has sent, read in pieces: as many in each turn of the event loop as fair turns allow."""

import asyncio
from functools import partial
from typing import Protocol

from loopyard.connections.fair_turns import Client, FairTurns


class Reader(Protocol):
    """A connection, as its pieces see it."""

    def turn_client(self) -> Client:
        """Whose turns its work takes."""
        ...

    def next_piece(self, held: bytes, at: int) -> tuple[int, int]:
        """How many bytes of a buffer, from a position, are the next piece, and what it costs to read. No bytes: the
        next piece cannot be read yet."""
        ...

    def read_piece(self, piece: bytes) -> None: ...

    def may_resume(self) -> bool:
        """False if it has stopped the transport for a reason of its own."""
        ...


class Pieces:
    """Bytes of one connection that have come and are not read yet. While some wait for a turn, no more are taken."""

    def __init__(self, turns: FairTurns, reader: Reader, transport: asyncio.Transport) -> None:
        self._turns = turns
        self._reader = reader
        self._transport = transport
        self._held = b""
        self._at = 0
        self._waits = False
        self._going = False
        self._paused = False

    def add(self, data: bytes) -> None:
        """Read more bytes: at once, if they are few and this turn has time for them."""
        self._held = self._held[self._at :] + data if self._at < len(self._held) else data
        self._at = 0
        self.go_on()
        if self._waits and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def go_on(self) -> None:
        """Read what can be read by now."""
        if self._going:
            return
        self._going = True
        try:
            self._read_all()
        finally:
            self._going = False
        if self._paused and not self._waits:
            self._paused = False
            if self._reader.may_resume() and not self._transport.is_closing():
                self._transport.resume_reading()

    def _read_all(self) -> None:
        while not self._waits and self._at < len(self._held) and not self._transport.is_closing():
            size, cost = self._reader.next_piece(self._held, self._at)
            if not size:
                return
            self._waits = True
            self._turns.do(self._reader.turn_client, cost, partial(self._read, size))

    def _read(self, size: int) -> None:
        self._waits = False
        if self._transport.is_closing():
            return
        piece = self._held if size == len(self._held) else self._held[self._at : self._at + size]
        self._at += size
        self._reader.read_piece(piece)
        self.go_on()
