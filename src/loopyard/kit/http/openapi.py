"""Makes the OpenAPI document say what the server does: one error shape, 400 for bad input, a key for every call."""

import asyncio
from typing import Any, cast

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi

from loopyard.kit.errors import ErrorView

_ERROR = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorView"}}}}
_MEANINGS = {
    "400": "The request is not valid; `field` names what is wrong.",
    "401": "The API key is missing or wrong.",
    "403": "The API key, or the devbox's user, may not do this.",
    "404": "There is nothing of this id.",
    "408": "The time to wait has passed.",
    "409": "The resource is not in a state that allows this, or the `x-request-id` was used for another request.",
    "413": "More was sent than the server takes.",
    "429": "The account has as much as it may have.",
    "503": "The infrastructure failed; the request may be repeated.",
    "507": "The disk of the host is full; nothing was done.",
}


PATH = "/openapi.json"


def install(app: FastAPI) -> None:
    """Make `app.openapi()` answer with the corrected document, and serve it. To make it takes about a second of the
    processor, so a thread does that, once, when it is asked for first."""
    made: asyncio.Task[bytes] | None = None

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _correct(
                get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            )
        return app.openapi_schema

    def body() -> bytes:
        return orjson.dumps(document())

    async def serve(_request: Request) -> Response:
        nonlocal made
        if made is None:
            made = asyncio.create_task(asyncio.to_thread(body))
        return Response(await asyncio.shield(made), media_type="application/json")

    app.openapi = document
    app.add_route(PATH, serve, include_in_schema=False)


def _correct(document: dict[str, Any]) -> dict[str, Any]:
    schemas = cast("dict[str, Any]", document["components"]["schemas"])
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["ErrorView"] = ErrorView.model_json_schema()
    for path, operations in cast("dict[str, dict[str, Any]]", document["paths"]).items():
        for operation in operations.values():
            responses = operation["responses"]
            responses.pop("422", None)
            if path.startswith("/v1/"):
                for status, meaning in _MEANINGS.items():
                    responses.setdefault(status, {"description": meaning, **_ERROR})
    return document
