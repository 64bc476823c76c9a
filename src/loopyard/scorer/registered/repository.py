"""SQL for registered scorers."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.kit import names
from loopyard.kit.db import upsert_into
from loopyard.kit.paging import Page, PageQuery, fetch_page
from loopyard.scorer.registered.models import RegisteredScorer


async def get(session: AsyncSession, account_id: str, scorer_id: str) -> RegisteredScorer | None:
    """A scorer of the account."""
    owned = (RegisteredScorer.id == scorer_id, RegisteredScorer.account_id == account_id)
    return await session.scalar(select(RegisteredScorer).where(*owned))


async def insert(session: AsyncSession, scorer: RegisteredScorer) -> bool:
    """Add a scorer, unless its type is taken in its account; tell whether it was added."""
    values = {column.key: getattr(scorer, column.key) for column in RegisteredScorer.__table__.columns}
    statement = upsert_into(session, RegisteredScorer).values(**values).on_conflict_do_nothing()
    return await session.scalar(statement.returning(RegisteredScorer.id)) is not None


async def id_of_type(session: AsyncSession, account_id: str, scorer_type: str) -> str | None:
    """The account's scorer of a type."""
    named = (RegisteredScorer.account_id == account_id, RegisteredScorer.type == scorer_type)
    return await session.scalar(select(RegisteredScorer.id).where(*named))


async def scripts(session: AsyncSession, account_id: str, types: Collection[str]) -> dict[str, str]:
    """The scripts of those of the types that the account has scorers of, by type."""
    if not types:
        return {}
    named = (RegisteredScorer.account_id == account_id, RegisteredScorer.type.in_(types))
    statement = select(RegisteredScorer.type, RegisteredScorer.bash_script).where(*named)
    return {row[0]: row[1] for row in await session.execute(statement)}


async def page(session: AsyncSession, account_id: str, search: str | None, query: PageQuery) -> Page[RegisteredScorer]:
    """A page of the account's scorers; `search` is the start of an id, or a part of a type whatever its case."""
    conditions: list[ColumnElement[bool]] = [RegisteredScorer.account_id == account_id]
    if search:
        by_id = RegisteredScorer.id.startswith(search, autoescape=True)
        conditions.append(or_(by_id, names.holds(RegisteredScorer.type_folded, search)))
    total = None
    if query.include_total_count:
        total = await session.scalar(select(func.count()).select_from(RegisteredScorer).where(*conditions))
    rows, more = await fetch_page(session, select(RegisteredScorer).where(*conditions), RegisteredScorer.id, query)
    return Page(rows, more, total)
