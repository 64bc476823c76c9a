"""Turns every error into the one wire shape."""

import logging
from collections.abc import Sequence
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from loopyard.kit.errors import BadRequest, ErrorView, LoopyardError, StorageFull
from loopyard.kit.host.full_disk import is_full
from loopyard.kit.http.complaints import in_words

log = logging.getLogger("loopyard.http")

_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}
_DISK_FULL = "53100"
"""PostgreSQL's code for that; SQLite has words only."""

_PLACES = {"body", "query", "path", "header", "cookie"}


def install(app: FastAPI) -> None:
    """Make `app` answer all its errors as `ErrorView`."""
    app.add_exception_handler(LoopyardError, _loopyard_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(OSError, _storage_error)
    app.add_exception_handler(DBAPIError, _storage_error)
    app.add_exception_handler(Exception, _unexpected_error)


def _answer(error: LoopyardError) -> JSONResponse:
    headers: dict[str, str] = {}
    if error.retryable is not None:
        headers["x-should-retry"] = "true" if error.retryable else "false"
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(error.body(), error.status, headers)


async def _loopyard_error(_: Request, error: Exception) -> JSONResponse:
    return _answer(cast("LoopyardError", error))


async def _validation_error(_: Request, error: Exception) -> JSONResponse:
    invalid = cast("RequestValidationError", error)
    return _answer(explain(invalid.errors(), invalid.body))


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    http = cast("HTTPException", error)
    code = _CODES.get(http.status_code, "invalid_request" if http.status_code < 500 else "internal_error")
    body = ErrorView(code=code, message=str(http.detail)).model_dump(exclude_none=True)
    return JSONResponse(body, http.status_code, http.headers)


async def _unexpected_error(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _answer(LoopyardError("The server failed to answer this request; its log has the details."))


async def _storage_error(request: Request, error: Exception) -> JSONResponse:
    """A full disk of the host, below the store or a file, is told as such."""
    if not _is_of_full_disk(error):
        return await _unexpected_error(request, error)
    log.error("%s %s failed: the disk is full: %s", request.method, request.url.path, error)
    return _answer(StorageFull("The disk of the host is full. The same call works once its operator has made room."))


def _is_of_full_disk(error: Exception) -> bool:
    if isinstance(error, OSError):
        return is_full(error)
    cause = error.orig if isinstance(error, DBAPIError) else None
    return getattr(cause, "sqlstate", None) == _DISK_FULL or "disk is full" in str(cause)


def explain(problems: Sequence[Any], body: Any = None) -> BadRequest:
    """The first of pydantic's complaints as a `BadRequest` that names the field by its dotted path on the wire.

    `body` is what was sent, if it is known: it tells which parts of pydantic's own path are fields.
    """
    if not problems:
        return BadRequest("The request is not valid.")
    first = problems[0]
    path = list(first.get("loc", ()))
    if path and path[0] in _PLACES:
        path = _fields(path[1:], body) if path[0] == "body" else path[1:]
    if first.get("type") == "json_invalid":
        return BadRequest("The request body is not valid JSON.", field="body")
    if str(first.get("type", "")).startswith("union_tag"):
        path.append(str(first["ctx"]["discriminator"]).strip("'"))
    field = ".".join(str(part) for part in path) or "body"
    return BadRequest(f"{field}: {in_words(first)}", field=field)


def _fields(path: list[Any], body: Any) -> list[Any]:
    """The path without the tags that pydantic puts in where a `type` field chooses among several models."""
    fields: list[Any] = []
    value = body
    for part in path:
        table = cast("dict[Any, Any]", value) if isinstance(value, dict) else None
        if table is not None and part not in table and table.get("type") == part:
            continue
        fields.append(part)
        if table is not None:
            value = table.get(part)
        elif isinstance(value, list) and isinstance(part, int):
            items = cast("list[Any]", value)
            value = items[part] if part < len(items) else None
        else:
            value = None
    return fields
