"""SQL for axons."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, bindparam, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.axon.models import Axon, AxonEvent, AxonMetadata
from loopyard.kit import names
from loopyard.kit.metadata import MetadataFilter, entries
from loopyard.kit.paging import Page, PageQuery, fetch_page

_AXON = Axon.metadata.tables["axon"]
_HEADS = select(_AXON.c.id, _AXON.c.account_id, _AXON.c.last_sequence).where(
    _AXON.c.id.in_(bindparam("wanted", expanding=True)), _AXON.c.deleted_at_ms.is_(None)
)
_LOCKED_HEADS = _HEADS.order_by(_AXON.c.id).with_for_update()


@dataclass(frozen=True, slots=True)
class AxonFilters:
    """Conditions of a list: a whole id, the start of a name, the start of an id or a part of a name, metadata."""

    id: str | None = None
    name: str | None = None
    search: str | None = None
    metadata: MetadataFilter = ()


@dataclass(frozen=True, slots=True)
class AxonHead:
    """How far an active axon is."""

    account_id: str
    last_sequence: int


async def insert(session: AsyncSession, axon: Axon) -> None:
    session.add(axon)
    _index(session, axon)
    await session.flush()


async def active(session: AsyncSession, axon_id: str, account_id: str, *, lock: bool = False) -> Axon | None:
    """An axon of the account that is not deleted; with `lock`, kept from others' changes until the transaction ends."""
    axon = await session.get(Axon, axon_id, with_for_update=lock or None, populate_existing=lock)
    return axon if axon is not None and axon.account_id == account_id and axon.deleted_at_ms is None else None


async def heads(session: AsyncSession, axon_ids: Collection[str], *, lock: bool = False) -> dict[str, AxonHead]:
    """How far those of the axons are that are not deleted; with `lock`, nobody else appends to them until the
    transaction ends. Locks are taken in the order of ids, so that two transactions never wait for each other."""
    rows = await session.execute(_LOCKED_HEADS if lock else _HEADS, {"wanted": sorted(axon_ids)})
    return {row[0]: AxonHead(row[1], row[2]) for row in rows}


async def replace_metadata(session: AsyncSession, axon: Axon, metadata: dict[str, str]) -> None:
    axon.metadata_ = metadata
    await session.execute(delete(AxonMetadata).where(AxonMetadata.axon_id == axon.id))
    _index(session, axon)
    await session.flush()


def _index(session: AsyncSession, axon: Axon) -> None:
    for entry in entries(axon.metadata_):
        session.add(AxonMetadata(axon_id=axon.id, entry=entry))


async def page(session: AsyncSession, account_id: str, filters: AxonFilters, query: PageQuery) -> Page[Axon]:
    """The account's active axons, newest first."""
    conditions: list[ColumnElement[bool]] = [Axon.account_id == account_id, Axon.deleted_at_ms.is_(None)]
    if filters.id is not None:
        conditions.append(Axon.id == filters.id)
    if filters.name:
        conditions.append(Axon.name_folded.startswith(names.fold(filters.name), autoescape=True))
    if filters.search:
        by_id = Axon.id.startswith(filters.search, autoescape=True)
        conditions.append(or_(by_id, names.holds(Axon.name_folded, filters.search)))
    for wanted in filters.metadata:
        found = select(AxonMetadata.axon_id).where(AxonMetadata.entry.in_(sorted(wanted)))
        conditions.append(Axon.id.in_(found))
    total = None
    if query.include_total_count:
        total = await session.scalar(select(func.count()).select_from(Axon).where(*conditions))
    rows, more = await fetch_page(session, select(Axon).where(*conditions), Axon.id, query)
    return Page(rows, more, total)


async def deleted_ids(session: AsyncSession) -> Sequence[str]:
    """Deleted axons, of which there is something still."""
    return (await session.scalars(select(Axon.id).where(Axon.deleted_at_ms.is_not(None)))).all()


async def known_ids(session: AsyncSession, axon_ids: Collection[str]) -> set[str]:
    """The ids among these that have a row, deleted or not."""
    return set((await session.scalars(select(Axon.id).where(Axon.id.in_(axon_ids)))).all())


async def erase_events(session: AsyncSession, axon_id: str, until: int) -> None:
    """Erase a deleted axon's events of sequences up to `until`."""
    await session.execute(delete(AxonEvent).where(AxonEvent.axon_id == axon_id, AxonEvent.sequence <= until))


async def erase(session: AsyncSession, axon_id: str) -> None:
    """Erase a deleted axon's row and metadata."""
    await session.execute(delete(AxonMetadata).where(AxonMetadata.axon_id == axon_id))
    await session.execute(delete(Axon).where(Axon.id == axon_id, Axon.deleted_at_ms.is_not(None)))


async def deleted_last_sequence(session: AsyncSession, axon_id: str) -> int | None:
    """The last sequence of a deleted axon; None if there is no such axon or it is active."""
    return await session.scalar(select(Axon.last_sequence).where(Axon.id == axon_id, Axon.deleted_at_ms.is_not(None)))
