"""Appends events by group commit: events that come while one transaction is being committed share the next."""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.axon.event.event import Event, NewEvent
from loopyard.axon.event.repository import AxonEventRepository
from loopyard.axon.event.subscribers import Subscribers
from loopyard.axon.repository import AxonRepository
from loopyard.kit.background.tasks import Tasks
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import Database, after_commit
from loopyard.kit.errors import LoopyardError, RequestKeyReused
from loopyard.kit.host.failpoint import failpoint
from loopyard.kit.idempotency import RequestIdentity

_MOST_EVENTS = 500
_MOST_BYTES = 8 * 1024**2
"""Limits on one group commit."""

_GATHER_SECONDS = 0.001
"""How long a group waits for more, where the one before had several."""

_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Published:
    """Place of an event in its axon."""

    sequence: int
    timestamp_ms: int


@dataclass(eq=False, slots=True)
class _PendingEvent:
    """A publish call that waits for its commit."""

    account_id: str
    axon_id: str
    event: NewEvent
    request: RequestIdentity | None
    done: asyncio.Future[Published] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def key(self) -> _Key | None:
        """Identity of a repeated request; None if the caller gave none."""
        return None if self.request is None else (self.account_id, f"axons.publish/{self.axon_id}", self.request.key)


Listener = Callable[[Sequence[Event]], None]
"""Called with new events of one axon after their commit."""


class Publisher:
    """The one way by which events enter axons."""

    def __init__(self, database: Database, subscribers: Subscribers, tasks: Tasks) -> None:
        self._database = database
        self._subscribers = subscribers
        self._tasks = tasks
        self._pending: deque[_PendingEvent] = deque()
        self._listeners: list[Listener] = []
        self._committing = False
        self._numbers = itertools.count()

    def add_listener(self, listener: Listener) -> None:
        self._listeners.append(listener)

    async def publish(
        self, account_id: str, axon_id: str, event: NewEvent, request: RequestIdentity | None
    ) -> Published:
        """Append one event; returns once it is durable. A repeated request appends nothing, and returns what the first
        did.

        Raises:
            NotFound: The account has no such axon.
            RequestKeyReused: Another request had this one's key.
        """
        pending = _PendingEvent(account_id, axon_id, event, request)
        self._pending.append(pending)
        if not self._committing:
            self._committing = True
            self._tasks.start(f"axon publisher {next(self._numbers)}", self._commit_all())
        return await pending.done

    async def append(self, session: AsyncSession, axon_id: str, events: Sequence[NewEvent]) -> list[Event]:
        """Append events in a transaction of the caller's own; subscribers have them after its commit. Returns nothing
        if the axon was deleted."""
        head = (await AxonRepository(session).heads_for_update([axon_id])).get(axon_id)
        if head is None or not events:
            return []
        stored = await AxonEventRepository(session).append(axon_id, head.last_sequence, events, now_ms())
        after_commit(session, lambda: self._tell(axon_id, stored))
        return stored

    async def _commit_all(self) -> None:
        try:
            group: list[_PendingEvent] = []
            while self._pending:
                if len(group) > 1:  # several publish at once: those just answered are about to be back
                    await asyncio.sleep(_GATHER_SECONDS)
                group = self._take()
                await self._commit_some(group)
        finally:
            self._committing = False  # before the task counts as ended: who comes in between is not to be forgotten
            while self._pending:  # cancelled at the end of the server
                self._pending.popleft().done.cancel()

    def _take(self) -> list[_PendingEvent]:
        group: list[_PendingEvent] = []
        size = 0
        while self._pending and len(group) < _MOST_EVENTS and (not group or size < _MOST_BYTES):
            group.append(self._pending.popleft())
            size += group[-1].event.size
        return group

    async def _commit_some(self, group: Sequence[_PendingEvent]) -> None:
        try:
            async with self._database.write() as session:
                answers = await self._append_group(session, group)
        except (DataError, IntegrityError) as error:
            if len(group) == 1:
                _fail(group[0], error)
                return
            for pending in group:  # so that one that cannot be stored harms no other
                await self._commit_some([pending])
            return
        except BaseException as error:
            for pending in group:
                _fail(pending, error)
            if isinstance(error, Exception):
                return
            raise
        failpoint("axon.published")
        for pending, answer in zip(group, answers, strict=True):
            if not pending.done.done():
                if isinstance(answer, LoopyardError):
                    pending.done.set_exception(answer)
                else:
                    pending.done.set_result(answer)

    async def _append_group(
        self, session: AsyncSession, group: Sequence[_PendingEvent]
    ) -> list[Published | LoopyardError]:
        heads = await AxonRepository(session).heads_for_update({pending.axon_id for pending in group})
        keys = [pending.key for pending in group]
        given = [key for key in keys if key is not None]
        known = await AxonEventRepository(session).claimed(given) if given else {}
        answers: dict[_Key, tuple[Published, str | None]] = {
            key: (_parse(text), digest) for key, (text, digest) in known.items()
        }
        timestamp = now_ms()
        fresh: dict[str, list[NewEvent]] = {}
        published: list[Published | LoopyardError] = []
        claims: list[dict[str, object]] = []
        for pending, key in zip(group, keys, strict=True):
            head = heads.get(pending.axon_id)
            if head is None or head.account_id != pending.account_id:
                published.append(AxonRepository(session).not_found(pending.axon_id))
                continue
            if key is not None and pending.request is not None and key in answers:
                published.append(_repeated(pending.request, *answers[key]))
                continue
            events = fresh.setdefault(pending.axon_id, [])
            events.append(pending.event)
            answer = Published(head.last_sequence + len(events), timestamp)
            published.append(answer)
            if key is not None and pending.request is not None:
                answers[key] = (answer, pending.request.digest)
                claims.append(_claim(key, pending.request.digest, answer))
        for axon_id, events in fresh.items():
            stored = await AxonEventRepository(session).append(axon_id, heads[axon_id].last_sequence, events, timestamp)
            after_commit(session, lambda axon_id=axon_id, stored=stored: self._tell(axon_id, stored))
        if claims:
            await AxonEventRepository(session).claim(claims)
        failpoint("axon.publishing")
        return published

    def _tell(self, axon_id: str, events: Sequence[Event]) -> None:
        self._subscribers.published(axon_id, events)
        for listener in self._listeners:
            listener(events)


def _fail(pending: _PendingEvent, error: BaseException) -> None:
    if pending.done.done():
        return
    if isinstance(error, Exception):
        pending.done.set_exception(error)
    else:
        pending.done.cancel()


def _repeated(request: RequestIdentity, answer: Published, digest: str | None) -> Published | LoopyardError:
    """The answer to a request whose key came before, with the request of this digest."""
    try:
        request.check(digest)
    except RequestKeyReused as error:
        return error
    return answer


def _claim(key: _Key, digest: str, answer: Published) -> dict[str, object]:
    text = f"{answer.sequence}.{answer.timestamp_ms}"
    return {
        "account_id": key[0],
        "operation": key[1],
        "key": key[2],
        "resource_id": text,
        "create_time_ms": answer.timestamp_ms,
        "digest": digest,
    }


def _parse(text: str) -> Published:
    sequence, _, timestamp = text.partition(".")
    return Published(int(sequence), int(timestamp))
