"""SQL for objects."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.kit import names
from loopyard.kit.paging import Page, PageQuery, fetch_page
from loopyard.object.models import StorageObject
from loopyard.object.states import DELETED, ERROR, UPLOADING, ContentType, StateName


@dataclass(frozen=True, slots=True)
class ObjectFilters:
    """Filters of a list. `search` is an id or a part of a name."""

    content_type: ContentType | None = None
    name: str | None = None
    search: str | None = None
    state: StateName | None = None


async def get(session: AsyncSession, object_id: str) -> StorageObject | None:
    return await session.get(StorageObject, object_id)


async def lock(session: AsyncSession, object_id: str) -> StorageObject | None:
    """An object by id, kept from others' changes until the transaction ends."""
    return await session.get(StorageObject, object_id, with_for_update=True, populate_existing=True)


async def page(
    session: AsyncSession, account_id: str | None, filters: ObjectFilters, query: PageQuery
) -> Page[StorageObject]:
    """The account's objects, or the public ones if it is None, newest first; deleted ones only if asked for."""
    conditions: list[ColumnElement[bool]] = [
        StorageObject.is_public.is_(True) if account_id is None else StorageObject.account_id == account_id
    ]
    if filters.state is not None:
        conditions.append(StorageObject.state == filters.state)
    else:
        conditions.append(StorageObject.state != DELETED)
    if filters.content_type is not None:
        conditions.append(StorageObject.content_type == filters.content_type)
    if filters.name:
        conditions.append(names.holds(StorageObject.name_folded, filters.name))
    if filters.search:
        by_name = names.holds(StorageObject.name_folded, filters.search)
        conditions.append(or_(StorageObject.id == filters.search, by_name))
    total = None
    if query.include_total_count:
        total = await session.scalar(select(func.count()).select_from(StorageObject).where(*conditions))
    rows, more = await fetch_page(session, select(StorageObject).where(*conditions), StorageObject.id, query)
    return Page(rows, more, total)


async def expire(session: AsyncSession, now_ms: int) -> None:
    """Delete those whose time to live has ended."""
    due = StorageObject.delete_after_time_ms <= now_ms
    alive = StorageObject.state != DELETED
    await session.execute(
        update(StorageObject).where(~StorageObject.reclaimed, alive, due).values(state=DELETED),
        execution_options={"synchronize_session": False},
    )


async def abandon(session: AsyncSession, before_ms: int) -> None:
    """Give up those that were made before this time and never completed."""
    waiting = (StorageObject.state == UPLOADING, StorageObject.create_time_ms < before_ms)
    await session.execute(
        update(StorageObject).where(~StorageObject.reclaimed, *waiting).values(state=ERROR),
        execution_options={"synchronize_session": False},
    )


async def is_due(session: AsyncSession, now_ms: int, before_ms: int) -> bool:
    """True if `expire` or `abandon` would find any."""
    expired = (StorageObject.state != DELETED) & (StorageObject.delete_after_time_ms <= now_ms)
    abandoned = (StorageObject.state == UPLOADING) & (StorageObject.create_time_ms < before_ms)
    statement = select(StorageObject.id).where(~StorageObject.reclaimed, or_(expired, abandoned)).limit(1)
    return await session.scalar(statement) is not None


async def ids_to_free(session: AsyncSession, limit: int) -> Sequence[str]:
    """Ids of objects whose content nobody can read any more, but the store still has."""
    statement = select(StorageObject.id).where(~StorageObject.reclaimed, StorageObject.state.in_((DELETED, ERROR)))
    return (await session.scalars(statement.limit(limit))).all()


async def known_ids(session: AsyncSession, object_ids: Collection[str]) -> dict[str, bool]:
    """Ids, of those given, that there are rows for, with whether the store should have nothing of them any more."""
    statement = select(StorageObject.id, StorageObject.reclaimed).where(StorageObject.id.in_(object_ids))
    return dict((await session.execute(statement)).tuples().all())


async def mark_freed(session: AsyncSession, object_id: str) -> None:
    await session.execute(update(StorageObject).where(StorageObject.id == object_id).values(reclaimed=True))


async def total_bytes(session: AsyncSession, account_id: str, but: str | None) -> int:
    """The bytes of the account's objects, uploaded ones that are not complete too, but one's."""
    size = func.coalesce(StorageObject.size_bytes, StorageObject.uploaded_bytes, 0)
    statement = select(func.coalesce(func.sum(size), 0)).where(
        StorageObject.account_id == account_id, ~StorageObject.reclaimed, StorageObject.state.not_in((DELETED, ERROR))
    )
    if but is not None:
        statement = statement.where(StorageObject.id != but)
    return int(await session.scalar(statement) or 0)
