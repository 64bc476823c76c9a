"""Lists with pages: the query of the next page, and the length of one."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Query, Request

from loopyard.kit.lists.paging import PageQuery

ROWS = 50


async def _query(
    after: Annotated[str | None, Query(max_length=64, description="The id that the page before ended with.")] = None,
) -> PageQuery:
    return PageQuery(ROWS, after or None)


ListQuery = Annotated[PageQuery, Depends(_query)]
"""The `PageQuery` of a list: its cursor is the parameter `after`."""


def next_path(request: Request, last_id: str | None, *, has_more: bool) -> str | None:
    """The path of the next page, with the same filters; None if there is none."""
    if not has_more or last_id is None:
        return None
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "after" and value]
    return f"{request.url.path}?{urlencode([*kept, ('after', last_id)])}"
