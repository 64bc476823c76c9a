"""Query strings of lists and forms, where an empty field says nothing."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Query
from pydantic import BeforeValidator

from loopyard.kit.paging import PageQuery
from loopyard.kit.wire import ShortText

PAGE_SIZE = 50


def _nothing(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


Given = Annotated[ShortText | None, BeforeValidator(_nothing)]
"""Text of a field of a form; None for an empty one."""

EMPTY_IS_NONE = BeforeValidator(_nothing)


async def _page_of_list(
    after: Annotated[Given, Query(description="Id of the last row of the page before.")] = None,
) -> PageQuery:
    return PageQuery(PAGE_SIZE, after)


ListQuery = Annotated[PageQuery, Depends(_page_of_list)]


def query_string(given: Mapping[str, object | None], **changed: object | None) -> str:
    """A query string, with its question mark, of what is given and not None; empty without any."""
    pairs = [(name, value) for name, value in {**given, **changed}.items() if value is not None]
    return f"?{urlencode(pairs, doseq=True)}" if pairs else ""
