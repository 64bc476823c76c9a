"""Query strings of filters, where an empty field of a form says nothing."""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Request
from pydantic import BeforeValidator

from loopyard.console.listing import next_path
from loopyard.kit.http.wire import ShortText
from loopyard.kit.lists.paging import PageQuery


def _nothing(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


EMPTY_IS_NONE = BeforeValidator(_nothing)

Given = Annotated[ShortText | None, EMPTY_IS_NONE]
"""Text of a field of a form; None for an empty one."""


def query_string(given: Mapping[str, object | None]) -> str:
    """A query string, with its question mark, of what is given and not None; empty without any."""
    pairs = [(name, value) for name, value in given.items() if value is not None]
    return f"?{urlencode(pairs, doseq=True)}" if pairs else ""


def shown_list(
    request: Request,
    query: PageQuery,
    given: Mapping[str, Any],
    rows: Sequence[Any],
    *,
    has_more: bool,
    wide: Collection[str] = (),
) -> dict[str, Any]:
    """Context of a list that has filters: as they are given, and the ways to its first page and to older rows. Filters
    of the names `wide` leave nothing out."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "after" and value]
    return {
        "given": given,
        "filtered": any(value is not None for name, value in given.items() if name not in wide),
        "is_first": query.starting_after is None,
        "first": request.url.path + (f"?{urlencode(kept)}" if kept else ""),
        "older": next_path(request, rows[-1].id if rows else None, has_more=has_more),
    }
