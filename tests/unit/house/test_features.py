"""Assembly of a server from its features."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.routing import Match

from loopyard.app import assemble
from loopyard.config import Settings
from loopyard.feature import Reconciler, Routes, Server, Traffic, in_match_order, in_order
from loopyard.kit.db.database import Database
from tests.unit.fake_runtime.runtime import FakeRuntime, Host


@pytest.fixture
def server(tmp_path: Path) -> Server:
    settings = Settings(data_dir=tmp_path)
    return assemble(FakeRuntime(Host()), Database(settings.store_url), settings)


async def _nothing() -> None: ...


def _named(name: str, *after: str) -> Reconciler:
    return Reconciler(name, _nothing, after)


def test_no_route_is_shadowed_by_one_that_is_looked_for_before(server: Server) -> None:
    routes = [one for router in in_match_order(server.features) for one in router.routes if isinstance(one, APIRoute)]
    assert len(routes) > 100
    for route in routes:
        path = "/".join("x" if part.startswith("{") else part for part in route.path_format.split("/"))
        for method in route.methods or ():
            scope: dict[str, Any] = {"type": "http", "path": path, "method": method, "headers": []}
            found = next(one for one in routes if one.matches(scope)[0] == Match.FULL)
            assert found is route, f"{method} {route.path_format} is answered by {found.path_format}"


def test_busy_routes_are_looked_for_first(server: Server) -> None:
    given: list[Routes] = [one for feature in server.features for one in feature.routers]
    busiest = [one.router for one in given if one.traffic == Traffic.CONSTANT]
    rarest = [one.router for one in given if one.traffic == Traffic.LOW]
    order = in_match_order(server.features)
    assert order[: len(busiest)] == busiest
    assert order[-len(rarest) :] == rarest


def test_what_devboxes_need_is_reconciled_before_them(server: Server) -> None:
    names = [one.name for one in in_order([one for feature in server.features for one in feature.reconcilers])]
    assert len(names) == 12
    assert names.index("model usage") < names.index("upstream calls") < names.index("devboxes")
    assert max(names.index("executions"), names.index("agent layers")) < names.index("devboxes")
    assert names.index("devboxes") < names.index("scoring") < names.index("canceled benchmark runs")


def test_reconcilers_run_after_those_that_they_name() -> None:
    order = in_order([_named("last", "first", "second"), _named("second", "first"), _named("first")])
    assert [one.name for one in order] == ["first", "second", "last"]


@pytest.mark.parametrize(
    ("reconcilers", "fault"),
    [
        ([_named("one", "another")], "no reconciler another"),
        ([_named("one"), _named("one")], "one name"),
        ([_named("one", "other"), _named("other", "one")], "cycle"),
    ],
)
def test_reconcilers_that_have_no_order_are_refused(reconcilers: list[Reconciler], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        in_order(reconcilers)


def test_an_object_is_offered_once_and_before_it_is_used(tmp_path: Path) -> None:
    server = Server(FakeRuntime(Host()), Database(f"sqlite+aiosqlite:///{tmp_path}/loopyard.db"), tmp_path)
    with pytest.raises(LookupError, match="no feature has offered Settings"):
        server.get(Settings)
    given = server.offer(Settings, Settings(data_dir=tmp_path))
    assert server.get(Settings) is given
    with pytest.raises(ValueError, match="two parts Settings"):
        server.offer(Settings, given)
