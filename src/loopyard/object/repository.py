"""SQL for objects."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select, update

from loopyard.kit.db.repository import SharedRepository
from loopyard.kit.lists import names
from loopyard.kit.lists.paging import Page, PageQuery
from loopyard.object.models import StorageObject
from loopyard.object.states import DELETED, ERROR, UPLOADING, ContentType, StateName


@dataclass(frozen=True, slots=True)
class ObjectFilters:
    """Filters of a list. `search` is an id or a part of a name."""

    content_type: ContentType | None = None
    name: str | None = None
    search: str | None = None
    state: StateName | None = None


class ObjectRepository(SharedRepository[StorageObject]):
    model = StorageObject
    kind = "object"

    async def list_page(self, account_id: str | None, filters: ObjectFilters, query: PageQuery) -> Page[StorageObject]:
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
        return await self._page(query, *conditions)

    async def expire(self, now_ms: int) -> None:
        """Delete those whose time to live has ended."""
        due = StorageObject.delete_after_time_ms <= now_ms
        alive = StorageObject.state != DELETED
        await self._session.execute(
            update(StorageObject).where(~StorageObject.reclaimed, alive, due).values(state=DELETED),
            execution_options={"synchronize_session": False},
        )

    async def abandon(self, before_ms: int) -> None:
        """Give up those that were made before this time and never completed."""
        waiting = (StorageObject.state == UPLOADING, StorageObject.create_time_ms < before_ms)
        await self._session.execute(
            update(StorageObject).where(~StorageObject.reclaimed, *waiting).values(state=ERROR),
            execution_options={"synchronize_session": False},
        )

    async def is_due(self, now_ms: int, before_ms: int) -> bool:
        """True if `expire` or `abandon` would find any."""
        expired = (StorageObject.state != DELETED) & (StorageObject.delete_after_time_ms <= now_ms)
        abandoned = (StorageObject.state == UPLOADING) & (StorageObject.create_time_ms < before_ms)
        statement = select(StorageObject.id).where(~StorageObject.reclaimed, or_(expired, abandoned)).limit(1)
        return await self._session.scalar(statement) is not None

    async def ids_to_free(self, limit: int) -> Sequence[str]:
        """Ids of objects whose content nobody can read any more, but the store still has."""
        statement = select(StorageObject.id).where(~StorageObject.reclaimed, StorageObject.state.in_((DELETED, ERROR)))
        return (await self._session.scalars(statement.limit(limit))).all()

    async def known_ids(self, object_ids: Collection[str]) -> dict[str, bool]:
        """Ids, of those given, that there are rows for, with whether the store should have nothing of them any more."""
        statement = select(StorageObject.id, StorageObject.reclaimed).where(StorageObject.id.in_(object_ids))
        return dict((await self._session.execute(statement)).tuples().all())

    async def mark_freed(self, object_id: str) -> None:
        await self._session.execute(update(StorageObject).where(StorageObject.id == object_id).values(reclaimed=True))

    async def total_bytes(self, account_id: str, but: str | None) -> int:
        """The bytes of the account's objects, uploaded ones that are not complete too, but one's."""
        size = func.coalesce(StorageObject.size_bytes, StorageObject.uploaded_bytes, 0)
        statement = select(func.coalesce(func.sum(size), 0)).where(
            StorageObject.account_id == account_id,
            ~StorageObject.reclaimed,
            StorageObject.state.not_in((DELETED, ERROR)),
        )
        if but is not None:
            statement = statement.where(StorageObject.id != but)
        return int(await self._session.scalar(statement) or 0)
