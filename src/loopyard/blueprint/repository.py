"""SQL for blueprints."""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.blueprint.models import Blueprint
from loopyard.blueprint.states import CREATED, DELETED, UNFINISHED, Status
from loopyard.kit import names
from loopyard.kit.paging import Page, PageQuery, fetch_page


async def get(session: AsyncSession, blueprint_id: str, account_id: str | None = None) -> Blueprint | None:
    """A blueprint by id, also a deleted one; of any account if `account_id` is None."""
    blueprint = await session.get(Blueprint, blueprint_id)
    return blueprint if blueprint is not None and account_id in (None, blueprint.account_id) else None


async def lock(session: AsyncSession, blueprint_id: str) -> Blueprint | None:
    """A blueprint by id, kept from others' changes until the transaction ends."""
    return await session.get(Blueprint, blueprint_id, with_for_update=True, populate_existing=True)


async def count_unfinished(session: AsyncSession, account_id: str) -> int:
    """How many builds of the account are under way."""
    conditions = (Blueprint.account_id == account_id, Blueprint.status.in_(UNFINISHED), Blueprint.state != DELETED)
    return await session.scalar(select(func.count()).select_from(Blueprint).where(*conditions)) or 0


async def latest(session: AsyncSession, account_id: str, name: str) -> Blueprint | None:
    """The newest of this name that is complete."""
    statement = (
        select(Blueprint)
        .where(Blueprint.account_id == account_id, Blueprint.name_digest == names.digest(name))
        .where(Blueprint.status == Status.COMPLETE, Blueprint.state == CREATED)
        .order_by(Blueprint.id.desc())
        .limit(1)
    )
    return await session.scalar(statement)


async def page(
    session: AsyncSession,
    query: PageQuery,
    *,
    account_id: str | None,
    name: str | None,
    status: str | None,
) -> Page[Blueprint]:
    """List blueprints that are not deleted, newest first: an account's, or with None the public ones."""
    conditions: list[ColumnElement[bool]] = [Blueprint.state == CREATED]
    conditions.append(Blueprint.is_public.is_(True) if account_id is None else Blueprint.account_id == account_id)
    if name is not None:
        conditions.append(Blueprint.name_digest == names.digest(name))
    if status is not None:
        conditions.append(Blueprint.status == status)
    total = None
    if query.include_total_count:
        total = await session.scalar(select(func.count()).select_from(Blueprint).where(*conditions))
    rows, more = await fetch_page(session, select(Blueprint).where(*conditions), Blueprint.id, query)
    return Page(rows, more, total)


async def unfinished(session: AsyncSession) -> Sequence[str]:
    """List the ids of unfinished blueprints, oldest first."""
    statement = select(Blueprint.id).where(Blueprint.status.in_(UNFINISHED), Blueprint.state == CREATED)
    return (await session.scalars(statement.order_by(Blueprint.id))).all()


async def to_reclaim(session: AsyncSession) -> Sequence[str]:
    """Deleted ones of which the host may hold something."""
    return (await session.scalars(select(Blueprint.id).where(Blueprint.state == DELETED, ~Blueprint.reclaimed))).all()


async def is_being_built_on(session: AsyncSession, blueprint_id: str) -> bool:
    """True if another blueprint is just being built on it."""
    built = select(Blueprint.id).where(
        Blueprint.base_blueprint_id == blueprint_id, Blueprint.status.in_(UNFINISHED), Blueprint.state == CREATED
    )
    return await session.scalar(built.limit(1)) is not None


async def find(session: AsyncSession, blueprint_ids: Collection[str]) -> Sequence[Blueprint]:
    """Return those of the ids that have rows."""
    return (await session.scalars(select(Blueprint).where(Blueprint.id.in_(blueprint_ids)))).all()


async def mark_reclaimed(session: AsyncSession, blueprint_id: str) -> None:
    await session.execute(update(Blueprint).where(Blueprint.id == blueprint_id).values(reclaimed=True))
