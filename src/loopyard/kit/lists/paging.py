"""Lists, newest first, paged by key: a page starts after an id, so rows that come meanwhile shift nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from loopyard.kit.errors import BadRequest
from loopyard.kit.ids import is_id

DEFAULT_LIMIT = 20
MAX_LIMIT = 5000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Paging parameters of a list, without its filters."""

    limit: int = DEFAULT_LIMIT
    starting_after: str | None = None
    include_total_count: bool = True


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Page of a list. `total_count` counts all rows that match the filters, on whatever page; None if not asked for."""

    items: Sequence[T]
    has_more: bool
    total_count: int | None


Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="The most items to return. Default 20, at most 5000.")]
"""The parameter of all lists that says how long a page may be. One out of bounds is refused with 400."""


async def _page_query(
    limit: Limit = DEFAULT_LIMIT,
    starting_after: Annotated[
        str | None, Query(description="Id of the last item of the page before; this page starts after it.")
    ] = None,
    include_total_count: Annotated[
        bool, Query(description="Whether to count all matching items. False is faster on large data.")
    ] = True,
) -> PageQuery:
    return PageQuery(limit, starting_after, include_total_count)


PageParams = Annotated[PageQuery, Depends(_page_query)]


def cursor_of(query: PageQuery, prefix: str) -> PageQuery:
    """The query, if its cursor can be the id of a row whose ids start with `prefix`, whether that row is there or not:
    one that was deleted still tells where its page ended.

    Raises:
        BadRequest: It cannot be.
    """
    if query.starting_after is not None and not is_id(query.starting_after, prefix):
        message = f"starting_after: give the id of the last item of the page before; it begins with '{prefix}_'."
        raise BadRequest(message, field="starting_after")
    return query


def after(statement: Select[Any], id_column: InstrumentedAttribute[str], query: PageQuery) -> Select[Any]:
    """Order newest first, start after the cursor, and ask for one row more than the page holds."""
    if query.starting_after is not None:
        statement = statement.where(id_column < query.starting_after)
    return statement.order_by(id_column.desc()).limit(query.limit + 1)


async def fetch_page(
    session: AsyncSession,
    statement: Select[T],
    id_column: InstrumentedAttribute[str],
    query: PageQuery,
) -> tuple[Sequence[T], bool]:
    """The rows of a page, and whether more follow."""
    rows = (await session.scalars(after(statement, id_column, query))).all()
    return rows[: query.limit], len(rows) > query.limit
