"""No operation leaves the event loop to be prepared: FastAPI calls what is not async in a thread, which takes time."""

import inspect
from collections.abc import Iterator
from pathlib import Path

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from loopyard import app


def _routes(router: APIRouter) -> Iterator[APIRoute]:
    yield from (route for route in router.routes if isinstance(route, APIRoute))


def _calls(dependant: Dependant) -> Iterator[object]:
    yield dependant.call
    for needed in dependant.dependencies:
        yield from _calls(needed)


def _is_async(call: object) -> bool:
    by_call = getattr(call, "__call__", None)  # noqa: B004 - an object with an async __call__, such as HTTPBearer
    return any(inspect.iscoroutinefunction(kind) or inspect.isasyncgenfunction(kind) for kind in (call, by_call))


def test_endpoints_and_what_they_depend_on_are_async() -> None:
    routes = [route for router in app._ROUTERS for route in _routes(router)]  # pyright: ignore[reportPrivateUsage]
    assert len(routes) > 100
    waiting = {
        f"{route.operation_id or Path(route.path)}: {getattr(call, '__qualname__', call)}"
        for route in routes
        for call in _calls(route.dependant)
        if not _is_async(call)
    }
    assert waiting == set()
