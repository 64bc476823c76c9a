"""Wire forms of SQL calls."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from loopyard.axon.sql.worker import limits
from loopyard.kit.http.wire import MAX_INT, Params, Text, View

MAX_BODY_BYTES = 16 * 1024**2
"""Limit on the body of an SQL call: 16 MiB."""


def _scalar(value: Any) -> Any:
    if isinstance(value, (dict, list)):
        raise ValueError("must be a string, a number, true, false or null")  # noqa: TRY004
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("must be valid Unicode") from None
    if isinstance(value, int) and not -MAX_INT - 1 <= value <= MAX_INT:
        raise ValueError("must fit into 64 bits")
    return value


Scalar = Annotated[Any, AfterValidator(_scalar)]


class SqlStatementParams(Params):
    sql: Annotated[Text, StringConstraints(max_length=limits.SQL_BYTES)]
    params: Annotated[list[Scalar], Field(max_length=limits.PARAMETERS)] | None = Field(
        default=None, description="Values for the statement's `?`, by position."
    )


class SqlQueryParams(SqlStatementParams):
    pass


class SqlBatchParams(Params):
    statements: Annotated[list[SqlStatementParams], Field(min_length=1, max_length=limits.STATEMENTS)]


class SqlColumnMetaView(View):
    name: str
    type: str = Field(description="As it was declared; empty for an expression.")


class SqlResultMetaView(View):
    changes: int
    duration_ms: float
    rows_read_limit_reached: bool


class SqlQueryResultView(View):
    columns: list[SqlColumnMetaView]
    meta: SqlResultMetaView
    rows: list[Any] = Field(description="Arrays of values by position; a BLOB is in base64.")


class SqlStepErrorView(View):
    message: str


class SqlStepResultView(View):
    error: SqlStepErrorView | None = None
    success: SqlQueryResultView | None = None


class SqlBatchResultView(View):
    results: list[SqlStepResultView]
