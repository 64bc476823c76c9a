"""SQL for devboxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, bindparam, func, inspect, or_, select, update

from loopyard.devbox.execution.models import Execution
from loopyard.devbox.lifecycle.states import COMING_UP, FINAL, Status
from loopyard.devbox.models import Devbox
from loopyard.kit.db.database import Database
from loopyard.kit.db.repository import OwnedRepository
from loopyard.kit.lists.paging import Page, PageQuery
from loopyard.secret.repository import SecretRepository
from loopyard.snapshot.models import Snapshot
from loopyard.snapshot.states import IN_PROGRESS
from loopyard.store.base import Base

EVICTABLE = (*COMING_UP, Status.RUNNING)

_being_kept = select(Snapshot.id).where(Snapshot.source_devbox_id == Devbox.id, Snapshot.status == IN_PROGRESS).exists()
_policy = Devbox.launch_parameters["network_policy_id"].as_string()


# Asked before every command: built once, and of columns alone, which costs half of what an object's attributes do.
_table = Base.metadata.tables[Devbox.__tablename__]
_STATUS = select(_table.c.status).where(_table.c.id == bindparam("id"), _table.c.account_id == bindparam("account_id"))


_RUN = (
    update(_table)
    .where(_table.c.id == bindparam("of_id"), _table.c.status == Status.PROVISIONING)
    .values(
        status=Status.RUNNING,
        state_transitions=bindparam("transitions", type_=_table.c.state_transitions.type),
        active_at_ms=bindparam("time_ms"),
    )
    .returning(_table.c.id)
)


async def run_at_once(database: Database, devbox_id: str, transitions: list[dict[str, Any]], time_ms: int) -> bool:
    """Have a devbox run that is being provisioned, in a transaction of its own; false if it is not, or not any more.
    `transitions` are all of its state transitions, that one included."""
    given = {"of_id": devbox_id, "transitions": transitions, "time_ms": time_ms}
    return await database.write_at_once(_RUN, given) is not None


@dataclass(frozen=True, slots=True)
class Contents:
    """Contents of a new devbox."""

    file_mounts: dict[str, str]
    code_mounts: list[dict[str, Any]]
    object_mounts: list[dict[str, str]]


def has_no_contents(devbox: Devbox) -> bool:
    """True if nothing is to be put into it, as far as this object tells without a look into the store."""
    if inspect(devbox).unloaded & {"file_mounts", "code_mounts", "object_mounts"}:
        return False
    return not (devbox.file_mounts or devbox.code_mounts or devbox.object_mounts)


def _matches(search: str) -> ColumnElement[bool]:
    # SQLite folds ASCII only: what is given as it is written is found at any rate.
    return or_(
        Devbox.id.startswith(search, autoescape=True),
        func.lower(Devbox.name).contains(search.lower(), autoescape=True),
        Devbox.name.contains(search, autoescape=True),
    )


_BEING_MADE = Devbox.status.in_((Status.QUEUED, Status.PROVISIONING))


# Asked once a second, for ever, so built once.
_time = bindparam("time_ms", type_=BigInteger)
_running = select(Devbox.id).where(~Devbox.reclaimed, Devbox.status == Status.RUNNING)
_EXPIRED = _running.where(Devbox.expires_at_ms <= _time, ~_being_kept)
_TO_EVICT = _running.where(Devbox.evict_at_ms <= _time)
_used = (
    select(Execution.id)
    .where(
        Execution.devbox_id == Devbox.id,
        Execution.purpose.not_in(("entrypoint", "broker")),
        (Execution.end_time_ms.is_(None)) | (Execution.end_time_ms + Devbox.idle_after_ms > _time),
    )
    .exists()
)
_IDLE = _running.where(
    Devbox.idle_after_ms.is_not(None), Devbox.active_at_ms + Devbox.idle_after_ms <= _time, ~_used, ~_being_kept
)


class DevboxRepository(OwnedRepository[Devbox]):
    model = Devbox
    kind = "devbox"

    async def status(self, devbox_id: str, account_id: str) -> str | None:
        """The status of a devbox of the account; None if it has none of this id."""
        return await self._session.scalar(_STATUS, {"id": devbox_id, "account_id": account_id})

    async def contents(self, devbox_id: str) -> Contents:
        statement = select(Devbox.file_mounts, Devbox.code_mounts, Devbox.object_mounts).where(Devbox.id == devbox_id)
        row = (await self._session.execute(statement)).one_or_none()
        return Contents({}, [], []) if row is None else Contents(row[0], row[1] or [], row[2] or [])

    async def list_page(
        self, account_id: str, status: str | None, query: PageQuery, search: str | None = None
    ) -> Page[Devbox]:
        """The account's devboxes, newest first; with `search`, those whose id starts with it, or whose name holds it.

        Names have no index. The account's own keeps the order, so that a search reads only until its page is full.
        """
        conditions: list[ColumnElement[bool]] = [Devbox.account_id == account_id]
        if status is not None:
            conditions.append(Devbox.status == status)
        if search is not None:
            conditions.append(_matches(search))
        return await self._page(query, *conditions)

    async def sizes(self, account_id: str) -> Sequence[tuple[str, dict[str, Any]]]:
        """The statuses and launch parameters of the account's devboxes that are not in a final state."""
        live = [status for status in Status if status not in FINAL]
        statement = select(Devbox.status, Devbox.launch_parameters)
        rows = await self._session.execute(statement.where(Devbox.account_id == account_id, Devbox.status.in_(live)))
        return [(status, launch) for status, launch in rows.all()]

    async def list_unfinished(self) -> Sequence[Devbox]:
        """All that are not in a final state."""
        return (await self._session.scalars(select(Devbox).where(~Devbox.reclaimed, Devbox.status.not_in(FINAL)))).all()

    async def ids_with_policy(self, policy_id: str) -> Sequence[str]:
        """The devboxes of a network policy that are not in a final state."""
        statement = select(Devbox.id).where(~Devbox.reclaimed, Devbox.status.not_in(FINAL), _policy == policy_id)
        return (await self._session.scalars(statement)).all()

    async def policies_in_use(self) -> Sequence[str]:
        """The network policies that devboxes name which are not in a final state."""
        statement = (
            select(_policy).where(~Devbox.reclaimed, Devbox.status.not_in(FINAL), _policy.is_not(None)).distinct()
        )
        return [policy for policy in (await self._session.scalars(statement)).all() if policy is not None]

    async def ids_not_reclaimed(self) -> Sequence[str]:
        """The ended ones of which the runtime may still hold something."""
        statement = select(Devbox.id).where(~Devbox.reclaimed, Devbox.status.in_(FINAL))
        return (await self._session.scalars(statement)).all()

    async def known_ids(self, ids: Sequence[str]) -> set[str]:
        """Ids, of those given, that there is a row for."""
        return set((await self._session.scalars(select(Devbox.id).where(Devbox.id.in_(ids)))).all())

    async def ended_ids(self, ids: Sequence[str]) -> set[str]:
        """Ids, of those given, that are of devboxes in a final state."""
        statement = select(Devbox.id).where(Devbox.id.in_(ids), Devbox.status.in_(FINAL))
        return set((await self._session.scalars(statement)).all())

    async def is_being_made_from_snapshot(self, snapshot_id: str) -> bool:
        """True if a devbox is just being made from the snapshot."""
        return await self._exists(Devbox.snapshot_id == snapshot_id, _BEING_MADE)

    async def is_being_made_from_blueprint(self, blueprint_id: str) -> bool:
        """True if a devbox is just being made from the blueprint."""
        return await self._exists(Devbox.blueprint_id == blueprint_id, _BEING_MADE)

    async def mark_reclaimed(self, devbox_id: str) -> None:
        await SecretRepository(self._session).delete_tokens(devbox_id)
        await self._session.execute(update(Devbox).where(Devbox.id == devbox_id).values(reclaimed=True))

    async def touch(self, devbox_id: str, time_ms: int) -> None:
        await self._session.execute(update(Devbox).where(Devbox.id == devbox_id).values(active_at_ms=time_ms))

    async def touch_all(self, devbox_ids: Sequence[str], time_ms: int) -> None:
        # One statement for any number of them: SQLite keeps each that is different, in each connection.
        statement = update(Devbox).where(Devbox.id == bindparam("devbox")).values(active_at_ms=time_ms)
        connection = await self._session.connection()
        await connection.execute(statement, [{"devbox": devbox_id} for devbox_id in devbox_ids])

    async def get_by_tunnel_key(self, tunnel_key: str) -> Devbox | None:
        """The devbox whose tunnel has this key."""
        return await self._session.scalar(select(Devbox).where(Devbox.tunnel_key == tunnel_key))

    async def ids_expired(self, time_ms: int) -> Sequence[str]:
        """The running ones whose keep-alive time has ended, and of which no snapshot is being taken."""
        return (await self._session.scalars(_EXPIRED, {"time_ms": time_ms})).all()

    async def ids_to_evict(self, time_ms: int) -> Sequence[str]:
        """The running ones whose eviction is due."""
        return (await self._session.scalars(_TO_EVICT, {"time_ms": time_ms})).all()

    async def ids_idle(self, time_ms: int) -> Sequence[str]:
        """The running ones with an idle policy that nothing runs in, and nobody has used for as long as it says."""
        return (await self._session.scalars(_IDLE, {"time_ms": time_ms})).all()

    async def evictions(self, account_id: str) -> Sequence[tuple[str, int]]:
        """The devboxes of an account that are to be evicted, and when, the most urgent first."""
        statement = (
            select(Devbox.id, Devbox.evict_at_ms)
            .where(
                ~Devbox.reclaimed,
                Devbox.account_id == account_id,
                Devbox.evict_at_ms.is_not(None),
                Devbox.status.in_(EVICTABLE),
            )
            .order_by(Devbox.evict_at_ms, Devbox.id)
        )
        return [(devbox_id, at) for devbox_id, at in (await self._session.execute(statement)).all() if at is not None]

    async def announce_evictions(self, time_ms: int | None, devbox_ids: Sequence[str]) -> Sequence[str]:
        """Decide that devboxes are evicted at a time, or with None, that they are not; `devbox_ids` empty means all.
        Returns those that it is decided of: ended and suspended ones are left out."""
        statement = update(Devbox).where(~Devbox.reclaimed, Devbox.status.in_(EVICTABLE)).values(evict_at_ms=time_ms)
        if devbox_ids:
            statement = statement.where(Devbox.id.in_(devbox_ids))
        return (await self._session.scalars(statement.returning(Devbox.id))).all()
