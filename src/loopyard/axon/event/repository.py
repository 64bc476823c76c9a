"""SQL for events."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from sqlalchemy import RowMapping, bindparam, insert, select, tuple_, update

from loopyard.axon.event.event import Event, NewEvent
from loopyard.axon.event.origins import Origin
from loopyard.axon.models import Axon, AxonEvent
from loopyard.kit.db.repository import Repository
from loopyard.kit.idempotency import IdempotencyKey

_EVENT = (
    AxonEvent.axon_id,
    AxonEvent.sequence,
    AxonEvent.timestamp_ms,
    AxonEvent.origin,
    AxonEvent.event_type,
    AxonEvent.source,
    AxonEvent.payload,
)
# Made once: for the many small transactions of publishers, making a statement costs more than running it.
_AXON, _KEYS = Axon.metadata.tables["axon"], IdempotencyKey.metadata.tables["idempotency_key"]
_INSERT = insert(AxonEvent.metadata.tables["axon_event"])
_ADVANCE = update(_AXON).where(_AXON.c.id == bindparam("of")).values(last_sequence=bindparam("last"))
_CLAIM = insert(_KEYS)
_CLAIMED = select(_KEYS.c.account_id, _KEYS.c.operation, _KEYS.c.key, _KEYS.c.resource_id, _KEYS.c.digest).where(
    tuple_(_KEYS.c.account_id, _KEYS.c.operation, _KEYS.c.key).in_(bindparam("wanted", expanding=True))
)


@dataclass(frozen=True, slots=True)
class Span:
    """Bounds of a read. Both sequences are part of it; at most `count` events and, after the first, `most_bytes` of
    their payloads are read, from the end that `newest_first` says."""

    first: int
    last: int
    count: int
    most_bytes: int
    newest_first: bool = False


def _event(row: RowMapping) -> Event:
    values: dict[str, Any] = {**row, "origin": Origin(row["origin"])}
    return Event(**values)


class AxonEventRepository(Repository):
    async def append(
        self, axon_id: str, last_sequence: int, events: Sequence[NewEvent], timestamp_ms: int
    ) -> list[Event]:
        """Store events behind `last_sequence`, which is the axon's; its row must be locked by this transaction."""
        stored = [
            Event(axon_id, sequence, timestamp_ms, new.origin, new.event_type, new.source, new.payload)
            for sequence, new in enumerate(events, last_sequence + 1)
        ]
        rows = [
            {
                "axon_id": axon_id,
                "sequence": event.sequence,
                "timestamp_ms": timestamp_ms,
                "origin": int(event.origin),
                "size": new.size,
                "event_type": event.event_type,
                "source": event.source,
                "payload": event.payload,
            }
            for event, new in zip(stored, events, strict=True)
        ]
        await self._session.execute(_INSERT, rows)
        await self._session.execute(_ADVANCE, {"of": axon_id, "last": last_sequence + len(events)})
        return stored

    async def read(self, axon_id: str, span: Span) -> list[Event]:
        """The events of a span, in the order that it says."""
        found = await self._within(axon_id, span)
        if not found:
            return []
        low, high = min(found[0], found[-1]), max(found[0], found[-1])
        order = AxonEvent.sequence.desc() if span.newest_first else AxonEvent.sequence
        statement = (
            select(*_EVENT)
            .where(AxonEvent.axon_id == axon_id, AxonEvent.sequence >= low, AxonEvent.sequence <= high)
            .order_by(order)
        )
        return [_event(row) for row in (await self._session.execute(statement)).mappings()]

    async def read_columns(self, axon_id: str, span: Span, columns: Sequence[str]) -> Sequence[Sequence[Any]]:
        """Some columns of the events of a span, as tuples; the span's limit of bytes counts if the payload is among
        them."""
        if "payload" in columns:
            found = await self._within(axon_id, span)
            if not found:
                return []
            first, last = min(found[0], found[-1]), max(found[0], found[-1])
        else:
            first, last = span.first, span.last
        statement = (
            select(*(getattr(AxonEvent, name) for name in columns))
            .where(AxonEvent.axon_id == axon_id, AxonEvent.sequence >= first, AxonEvent.sequence <= last)
            .order_by(AxonEvent.sequence.desc() if span.newest_first else AxonEvent.sequence)
            .limit(span.count)
        )
        return [tuple(row) for row in await self._session.execute(statement)]

    async def _within(self, axon_id: str, span: Span) -> list[int]:
        """The sequences of a span that its limits leave."""
        statement = (
            select(AxonEvent.sequence, AxonEvent.size)
            .where(AxonEvent.axon_id == axon_id, AxonEvent.sequence >= span.first, AxonEvent.sequence <= span.last)
            .order_by(AxonEvent.sequence.desc() if span.newest_first else AxonEvent.sequence)
            .limit(span.count)
        )
        rows = (await self._session.execute(statement)).all()
        sums = accumulate(row[1] for row in rows)
        return [row[0] for row, total in zip(rows, sums, strict=True) if total <= span.most_bytes] or [
            row[0] for row in rows[:1]
        ]

    async def claimed(self, keys: Sequence[tuple[str, str, str]]) -> dict[tuple[str, str, str], tuple[str, str | None]]:
        """Values stored under keys (account, operation, request key), of the keys that are known, each with the digest
        of the request."""
        rows = await self._session.execute(_CLAIMED, {"wanted": keys})
        return {(row[0], row[1], row[2]): (row[3], row[4]) for row in rows}

    async def claim(self, keys: Sequence[dict[str, Any]]) -> None:
        """Store request keys that are not known yet."""
        await self._session.execute(_CLAIM, keys)
