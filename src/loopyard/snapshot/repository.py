"""SQL for snapshots."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.kit.metadata import MetadataFilter, entries
from loopyard.kit.paging import Page, PageQuery, fetch_page
from loopyard.snapshot.models import Snapshot, SnapshotMetadata
from loopyard.snapshot.states import COMPLETE, IN_PROGRESS


async def get(session: AsyncSession, snapshot_id: str) -> Snapshot | None:
    return await session.get(Snapshot, snapshot_id)


async def lock(session: AsyncSession, snapshot_id: str) -> Snapshot | None:
    """A snapshot by id, kept from others' changes until the transaction ends."""
    return await session.get(Snapshot, snapshot_id, with_for_update=True, populate_existing=True)


async def insert(session: AsyncSession, snapshot: Snapshot) -> None:
    session.add(snapshot)
    _index(session, snapshot)
    await session.flush()


async def replace_metadata(session: AsyncSession, snapshot: Snapshot, metadata: dict[str, str]) -> None:
    snapshot.metadata_ = metadata
    await session.execute(delete(SnapshotMetadata).where(SnapshotMetadata.snapshot_id == snapshot.id))
    _index(session, snapshot)
    await session.flush()


def _index(session: AsyncSession, snapshot: Snapshot) -> None:
    for entry in entries(snapshot.metadata_):
        session.add(SnapshotMetadata(snapshot_id=snapshot.id, entry=entry))


async def page(
    session: AsyncSession,
    account_id: str,
    query: PageQuery,
    *,
    devbox_id: str | None,
    blueprint_id: str | None,
    metadata: MetadataFilter,
) -> Page[Snapshot]:
    """Snapshots that are complete or being taken, newest first."""
    conditions: list[ColumnElement[bool]] = [
        Snapshot.account_id == account_id,
        Snapshot.status.in_((IN_PROGRESS, COMPLETE)),
    ]
    if devbox_id is not None:
        conditions.append(Snapshot.source_devbox_id == devbox_id)
    if blueprint_id is not None:
        conditions.append(Snapshot.source_blueprint_id == blueprint_id)
    for wanted in metadata:
        found = select(SnapshotMetadata.snapshot_id).where(SnapshotMetadata.entry.in_(sorted(wanted)))
        conditions.append(Snapshot.id.in_(found))
    total = None
    if query.include_total_count:
        total = await session.scalar(select(func.count()).select_from(Snapshot).where(*conditions))
    rows, more = await fetch_page(session, select(Snapshot).where(*conditions), Snapshot.id, query)
    return Page(rows, more, total)


async def is_being_taken(session: AsyncSession, devbox_id: str) -> bool:
    """True if any snapshot of the devbox is being taken."""
    statement = select(Snapshot.id).where(Snapshot.source_devbox_id == devbox_id, Snapshot.status == IN_PROGRESS)
    return await session.scalar(statement.limit(1)) is not None


async def held(session: AsyncSession) -> Sequence[Snapshot]:
    """All of which the runtime may hold anything."""
    return (await session.scalars(select(Snapshot).where(~Snapshot.reclaimed))).all()


async def held_ids(session: AsyncSession) -> set[str]:
    """The ids of all of which the runtime may hold anything."""
    return set((await session.scalars(select(Snapshot.id).where(~Snapshot.reclaimed))).all())


async def mark_reclaimed(session: AsyncSession, snapshot_id: str) -> None:
    await session.execute(update(Snapshot).where(Snapshot.id == snapshot_id).values(reclaimed=True))
