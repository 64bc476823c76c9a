"""No operation leaves the event loop to be prepared: FastAPI calls what is not async in a thread, which takes time."""

import inspect
from collections.abc import Iterator
from pathlib import Path

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from loopyard.app import assemble
from loopyard.config import Settings
from loopyard.feature import in_match_order
from loopyard.kit.db.database import Database
from tests.unit.fake_runtime.runtime import FakeRuntime, Host


def _routes(router: APIRouter) -> Iterator[APIRoute]:
    yield from (route for route in router.routes if isinstance(route, APIRoute))


def _calls(dependant: Dependant) -> Iterator[object]:
    yield dependant.call
    for needed in dependant.dependencies:
        yield from _calls(needed)


def _is_async(call: object) -> bool:
    by_call = getattr(call, "__call__", None)  # noqa: B004 - an object with an async __call__, such as HTTPBearer
    return any(inspect.iscoroutinefunction(kind) or inspect.isasyncgenfunction(kind) for kind in (call, by_call))


def test_endpoints_and_what_they_depend_on_are_async(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    server = assemble(FakeRuntime(Host()), Database(settings.store_url), settings)
    routes = [route for router in in_match_order(server.features) for route in _routes(router)]
    assert len(routes) > 100
    waiting = {
        f"{route.operation_id or Path(route.path)}: {getattr(call, '__qualname__', call)}"
        for route in routes
        for call in _calls(route.dependant)
        if not _is_async(call)
    }
    assert waiting == set()
