"""A page of runs as JSON. Thousands of runs in one answer are common, so they take no detour through models."""

from typing import Any

import orjson
from sqlalchemy import Row

from loopyard.kit.lists.paging import Page
from loopyard.scenario.run.repository import JSON_NAMES, PLAIN_NAMES

_PLAIN = len(PLAIN_NAMES)


def render(page: Page[Row[Any]]) -> bytes:
    """The page as `ScenarioRunListView` is on the wire. Columns that hold JSON go out as they are stored."""
    runs = [_run(row) for row in page.items]
    return orjson.dumps({"runs": runs, "has_more": page.has_more, "total_count": page.total_count})


def _run(row: Row[Any]) -> dict[str, Any]:
    run: dict[str, Any] = dict(zip(PLAIN_NAMES, row, strict=False))
    for name, text in zip(JSON_NAMES, row[_PLAIN:], strict=True):
        run[name] = None if text is None else orjson.Fragment(text)
    return run
