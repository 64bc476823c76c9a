"""Streams of events to subscribers, each at its own pace."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import contextmanager

from loopyard.axon.event.event import Event
from loopyard.axon.event.feed import CHUNK_BYTES, Feed
from loopyard.axon.event.repository import AxonEventRepository, Span
from loopyard.axon.repository import AxonRepository
from loopyard.kit.background.periodic import Periodic
from loopyard.kit.db.database import Database
from loopyard.kit.http.sse import PING, PING_SECONDS, error_message

_LOOK_SECONDS = 1.0
"""How often the store is asked for events that another process on the same database published."""

_PAGE_EVENTS = 500
_SEQUENCE_LIMIT = 2**63 - 1


class Subscribers:
    """All open subscriptions. A subscriber holds at most one chunk of messages; what it has not read stays in the
    store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._feeds: dict[str, Feed] = {}
        self._ending = False
        self._open = 0
        self._all_closed = asyncio.Event()
        self._all_closed.set()
        self._looks = Periodic(
            "looking for events of other processes", self._look, every=_LOOK_SECONDS, pause=_LOOK_SECONDS
        )

    def published(self, axon_id: str, events: Sequence[Event]) -> None:
        """Hand new events to the axon's subscribers. Call it after their commit."""
        if (feed := self._feeds.get(axon_id)) is not None:
            feed.add(events)

    def deleted(self, axon_id: str) -> None:
        """End the subscriptions of a deleted axon."""
        if (feed := self._feeds.get(axon_id)) is not None:
            feed.deleted = True
            feed.wake()

    async def end(self, timeout: float) -> None:
        """End all subscriptions with error 408; wait for them, `timeout` seconds at most."""
        self._ending = True
        for feed in self._feeds.values():
            feed.wake()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._all_closed.wait()

    async def run(self) -> None:
        """Look for events of other processes, for ever."""
        await self._looks.run()

    async def _look(self) -> bool:
        """Look once. False if nobody is subscribed."""
        if not self._feeds:
            return False
        watched = dict(self._feeds)
        async with self._database.read() as session:
            heads = await AxonRepository(session).heads(watched.keys())
        for axon_id, feed in watched.items():
            if (head := heads.get(axon_id)) is not None:
                feed.know(head.last_sequence)
            elif not feed.deleted:
                feed.deleted = True
                feed.wake()
        return True

    async def stream(self, axon_id: str, after: int) -> AsyncIterator[bytes]:
        """Server-sent messages of all events of sequences over `after`, then of new ones as they come. Comments keep
        the connection open. The end is always an error message: 404 if the axon is deleted, 408 if the server ends."""
        cursor = after
        with self._subscribed(axon_id) as (feed, woken):
            while True:
                woken.clear()
                if self._ending:
                    yield error_message(408, "The server ends. Subscribe again after the last sequence.")
                    return
                if feed.deleted:
                    yield error_message(404, f"There is no axon {axon_id} any more.")
                    return
                if feed.last is not None and cursor >= feed.last:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(PING_SECONDS):
                            await woken.wait()
                    if not woken.is_set():
                        yield PING
                    continue
                messages = feed.after(cursor) or await self._stored(axon_id, feed, cursor)
                if messages:
                    cursor += len(messages)
                    yield b"".join(messages)

    async def _stored(self, axon_id: str, feed: Feed, cursor: int) -> list[bytes]:
        """Some of the messages after a sequence, from the store."""
        async with self._database.read() as session:
            head = (await AxonRepository(session).heads([axon_id])).get(axon_id)
            span = Span(cursor + 1, _SEQUENCE_LIMIT, _PAGE_EVENTS, CHUNK_BYTES)
            events = await AxonEventRepository(session).read(axon_id, span) if head is not None else []
        if head is None:
            feed.deleted = True
        else:
            feed.know(head.last_sequence)
        return [event.message() for event in events]

    @contextmanager
    def _subscribed(self, axon_id: str) -> Generator[tuple[Feed, asyncio.Event]]:
        feed = self._feeds.setdefault(axon_id, Feed())
        woken = asyncio.Event()
        feed.waiters.add(woken)
        self._open += 1
        self._all_closed.clear()
        self._looks.wake()
        try:
            yield feed, woken
        finally:
            feed.waiters.discard(woken)
            if not feed.waiters and self._feeds.get(axon_id) is feed:
                del self._feeds[axon_id]
            self._open -= 1
            if not self._open:
                self._all_closed.set()
