"""The conversation of one agent with its axon.

Each step is one transaction: what the agent said is published together with how far its output was read, and what it is
to be told is written down together with the cursor on the axon. So a server that is killed between any two steps, and
started again, goes on as if nothing had been.
"""

import asyncio
from collections.abc import Callable

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.axon.event.event import Event, NewEvent
from loopyard.axon.event.publisher import Publisher
from loopyard.axon.event.repository import AxonEventRepository, Span
from loopyard.axon.event.schemas import MAX_PAYLOAD_BYTES
from loopyard.axon.repository import AxonRepository
from loopyard.broker import repository
from loopyard.broker.models import Broker, BrokerFrame
from loopyard.broker.progress import Progress
from loopyard.broker.protocol.base import Input, Output
from loopyard.broker.protocol.registry import PROTOCOLS
from loopyard.broker.protocol.state import State
from loopyard.broker.repository import BrokerRepository
from loopyard.kit.db.database import Database
from loopyard.kit.host.failpoint import failpoint

SOURCE = "broker"
_HEARD_EVENTS, _HEARD_BYTES = 50, 8 * 1024**2
_LAST = 2**63 - 1


class AxonGone(Exception):
    """The axon was deleted."""


class Conversation:
    """Makes the steps, one at a time. After a step that failed it is of no use: load it anew."""

    def __init__(self, database: Database, publisher: Publisher, row: Broker) -> None:
        self._database = database
        self._publisher = publisher
        self.devbox_id, self.axon_id = row.devbox_id, row.axon_id
        self.progress = Progress.of(row)
        self.protocol = PROTOCOLS[row.protocol](row.devbox_id, State.load(row.state))
        self.lock = asyncio.Lock()
        self.frames_waiting = asyncio.Event()
        """Set when there may be frames to deliver."""
        self.between_turns = asyncio.Event()
        """Set while the agent is in no turn."""
        self._tell_turn()
        self.frames_waiting.set()

    async def step(self, act: Callable[[], None], *, new_process: bool = False) -> None:
        """Do `act`, then what events have waited for it, and store all that came of it.

        Raises:
            AxonGone: There is no axon any more to publish to.
        """
        async with self.lock:
            act()
            async with self._database.write() as session:
                if new_process:
                    await BrokerRepository(session).delete_frames(self.devbox_id)
                await self._take_waiting(session)
                await self._store(session)
                failpoint("broker.step")
            failpoint("broker.stepped")
            if self.protocol.frames:
                self.frames_waiting.set()
            self.protocol.frames, self.protocol.outputs = [], []
            self._tell_turn()

    async def next_events(self) -> list[Event]:
        """The events after the cursor, some of them; none if there are none yet.

        Raises:
            AxonGone: The axon was deleted.
        """
        async with self._database.read() as session:
            if not await AxonRepository(session).heads([self.axon_id]):
                raise AxonGone
            span = Span(self.progress.cursor + 1, _LAST, _HEARD_EVENTS, _HEARD_BYTES)
            return await AxonEventRepository(session).read(self.axon_id, span)

    def take(self, found: list[Event]) -> None:
        """Act on events in order, within a step."""
        for event in found:
            self.progress.cursor = event.sequence
            if event.origin in repository.HEARD and not self.protocol.take_input(_input(event)):
                self.protocol.state.waiting.append(event.sequence)

    async def _take_waiting(self, session: AsyncSession) -> None:
        """Act on the events that have waited, until one has to wait on."""
        waiting = self.protocol.state.waiting
        while waiting:
            found = await AxonEventRepository(session).read(self.axon_id, Span(waiting[0], waiting[0], 1, _HEARD_BYTES))
            if found and not self.protocol.take_input(_input(found[0])):
                return
            del waiting[0]

    async def _store(self, session: AsyncSession) -> None:
        brokers = BrokerRepository(session)
        row = await brokers.get_by_devbox_for_update(self.devbox_id)
        if row is None:
            raise AxonGone
        outputs = [_event(output) for output in self.protocol.outputs]
        if outputs and not await self._publisher.append(session, self.axon_id, outputs):
            raise AxonGone
        for frame in self.protocol.frames:
            brokers.add_frame(BrokerFrame(devbox_id=self.devbox_id, number=self.progress.next_frame, frame=frame))
            self.progress.next_frame += 1
        self.progress.store(row, self.protocol)

    def _tell_turn(self) -> None:
        if self.protocol.state.turn is None:
            self.between_turns.set()
        else:
            self.between_turns.clear()


def _input(event: Event) -> Input:
    try:
        payload = orjson.loads(event.payload) if event.payload else None
    except ValueError:
        payload = event.payload  # no JSON; each protocol refuses text
    return Input(event.sequence, event.event_type, payload)


def _event(output: Output) -> NewEvent:
    payload = output.payload
    size = len(payload.encode())
    if size > MAX_PAYLOAD_BYTES:  # its own framing made it larger than the frame was
        payload = orjson.dumps({"error": f"The payload had {size} bytes; it was left out."}).decode()
        size = len(payload)
    return NewEvent(output.event_type[:1024].replace("\x00", ""), output.origin, SOURCE, payload, size)
