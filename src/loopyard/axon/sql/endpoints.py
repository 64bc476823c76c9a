"""/v1/axons/{id}/sql: statements on an axon's own database."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from loopyard.auth.caller import CallerDep
from loopyard.axon.sql.schemas import (
    MAX_BODY_BYTES,
    SqlBatchParams,
    SqlBatchResultView,
    SqlQueryParams,
    SqlQueryResultView,
    SqlStatementParams,
)
from loopyard.axon.sql.service import SqlService
from loopyard.kit.http.bodies import limited_route
from loopyard.kit.http.parts import part
from loopyard.kit.idempotency import RequestKey

router = APIRouter(prefix="/v1/axons/{id}/sql", tags=["axons"], route_class=limited_route(MAX_BODY_BYTES))

ServiceDep = Annotated[SqlService, Depends(part(SqlService))]


@router.post("/query", operation_id="sql.query", response_model=SqlQueryResultView)
async def query(
    id: str, params: SqlQueryParams, caller: CallerDep, service: ServiceDep, request_key: RequestKey = None
) -> Response:
    """Run one statement on the axon's own SQLite database. The axon's events are the table `rl_axon_events`, which
    cannot be changed."""
    answer = await service.query(caller.account_id, id, _statements([params])[0], request_key)
    return Response(answer, media_type="application/json")


@router.post("/batch", operation_id="sql.batch", response_model=SqlBatchResultView)
async def batch(
    id: str, params: SqlBatchParams, caller: CallerDep, service: ServiceDep, request_key: RequestKey = None
) -> Response:
    """Run statements in one transaction: all of them count, or if one fails none does, and each result says so."""
    answer = await service.batch(caller.account_id, id, _statements(params.statements), request_key)
    return Response(answer, media_type="application/json")


def _statements(given: Sequence[SqlStatementParams]) -> list[dict[str, Any]]:
    return [{"sql": statement.sql, "params": statement.params or []} for statement in given]
