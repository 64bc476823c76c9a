"""/console/axons/{id}/sql: statements on an axon's own database."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response
from pydantic import ValidationError

from loopyard.axon import endpoints as axons
from loopyard.axon.sql import endpoints as api
from loopyard.axon.sql.schemas import SqlQueryParams
from loopyard.axon.sql.service import SqlService
from loopyard.axon.sql.worker import limits
from loopyard.console.page import Page, allowed
from loopyard.kit.errors import BadRequest, LoopyardError, NotFound
from loopyard.kit.http.error_handlers import explain
from loopyard.kit.http.parts import part

router = APIRouter()

MOST_ROWS = 200
MOST_COLUMNS = 40
FIRST = "SELECT sequence, event_type, payload\nFROM rl_axon_events\nORDER BY sequence DESC\nLIMIT 20"
"""The statement of an empty form."""

SqlPage = Annotated[Page, Depends(allowed("POST /v1/axons/{}/sql/query"))]


@dataclass(frozen=True, slots=True)
class Result:
    """Part of a statement's result that a page shows."""

    columns: list[dict[str, Any]]
    rows: list[list[Any]]
    columns_in_all: int
    rows_in_all: int
    changes: int
    duration_ms: float
    limit_reached: bool


@router.get("/{id}/sql")
async def form(id: str, page: SqlPage) -> Response:
    """A form for a statement."""
    return await _shown(page, id, FIRST, "")


@router.post("/{id}/sql")
async def run(
    id: str,
    page: SqlPage,
    service: Annotated[SqlService, Depends(part(SqlService))],
    sql: Annotated[str, Form()] = "",
    params: Annotated[str, Form()] = "",
    download: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Run a statement, and show its result or what was wrong with it, with the statement to go on from."""
    try:
        given = _statement(sql, params)
        answer = bytes((await api.query(id, given, page.caller, service)).body)
    except NotFound:
        raise
    except LoopyardError as error:
        return await _shown(page, id, sql, params, problem=error.message, status=error.status)
    if download:
        headers = {"Content-Disposition": f'attachment; filename="{id}.json"'}
        return Response(answer, media_type="application/octet-stream", headers=headers)
    return await _shown(page, id, sql, params, result=await asyncio.to_thread(_result, answer))


async def _shown(
    page: Page,
    axon_id: str,
    sql: str,
    params: str,
    *,
    result: Result | None = None,
    problem: str | None = None,
    status: int = 200,
) -> Response:
    async with page.database.read() as session:
        item = await axons.retrieve(axon_id, page.caller, session)
    return page.render(
        "axons/sql.html",
        http_status=status,
        item=item,
        sql=sql,
        params=params,
        result=result,
        problem=problem,
        most_of_api=limits.ROWS,
    )


def _statement(sql: str, params: str) -> SqlQueryParams:
    try:
        values: Any = orjson.loads(params) if params.strip() else None
    except ValueError:
        raise BadRequest('params: write a JSON array, such as [1, "two"].', field="params") from None
    try:
        return SqlQueryParams.model_validate({"sql": sql, "params": values})
    except ValidationError as error:
        raise explain(error.errors()) from None


def _result(answer: bytes) -> Result:
    whole: dict[str, Any] = orjson.loads(answer)
    columns, rows, meta = whole["columns"], whole["rows"], whole["meta"]
    return Result(
        columns[:MOST_COLUMNS],
        [row[:MOST_COLUMNS] for row in rows[:MOST_ROWS]],
        len(columns),
        len(rows),
        meta["changes"],
        meta["duration_ms"],
        meta["rows_read_limit_reached"],
    )
