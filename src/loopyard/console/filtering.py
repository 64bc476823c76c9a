"""Query strings of filters, where an empty field of a form says nothing."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Request
from pydantic import BeforeValidator

from loopyard.kit.wire import ShortText


def _nothing(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


EMPTY_IS_NONE = BeforeValidator(_nothing)

Given = Annotated[ShortText | None, EMPTY_IS_NONE]
"""Text of a field of a form; None for an empty one."""


def query_string(given: Mapping[str, object | None]) -> str:
    """A query string, with its question mark, of what is given and not None; empty without any."""
    pairs = [(name, value) for name, value in given.items() if value is not None]
    return f"?{urlencode(pairs, doseq=True)}" if pairs else ""


def last_id(rows: Sequence[Any]) -> str | None:
    """The id of the last row of a page."""
    return rows[-1].id if rows else None


def first_path(request: Request) -> str:
    """The path of a list's first page, with the same filters."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "after" and value]
    return request.url.path + (f"?{urlencode(kept)}" if kept else "")
