"""How a family of pages is found by `/console/search`."""

from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.console.family import Find, Hit
from loopyard.console.page import Page
from loopyard.kit.lists.paging import PageQuery

MOST_HITS = 5
"""Hits of one family."""

_FEW = PageQuery(limit=MOST_HITS, include_total_count=False)

Hits = Callable[[AsyncSession, Page, str, PageQuery], Awaitable[Sequence[Hit]]]
"""The newest hits of the caller's account."""


def finder(operation: str, hits: Hits) -> Find:
    """Finds for those who may call `operation`; nothing for others."""

    async def find(page: Page, text: str) -> Sequence[Hit]:
        if not page.may(operation):
            return []
        async with page.database.read() as session:
            return await hits(session, page, text, _FEW)

    return find
