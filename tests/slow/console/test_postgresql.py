"""Chromium on a server whose store is PostgreSQL: lists, details, search, and rows that come by themselves."""

from collections.abc import Callable, Generator
from typing import Any

import pytest

from tests.postgres import PostgresCluster
from tests.serving import ServerProcess, serving
from tests.slow.console.conftest import Watched
from tests.stores import new_store


@pytest.fixture(scope="module")
def server(postgres: PostgresCluster, tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    """Takes the place of the shared server."""
    with serving(tmp_path_factory.mktemp("console") / "data", database_url=new_store(postgres)) as process:
        yield process


def test_pages_on_postgresql(log_in: Callable[..., Watched], server: ServerProcess) -> None:
    scored: Any = {"name": "always", "weight": 1.0, "scorer": {"type": "command_scorer", "command": "true"}}
    with server.client() as client:
        scenario = client.scenarios.create(
            name="on postgresql",
            input_context={"problem_statement": "none"},
            scoring_contract={"scoring_function_parameters": [scored]},
        ).id
        run = client.scenarios.start_run_and_await_env_ready(scenario_id=scenario)
        client.scenarios.runs.score_and_complete(run.id)
        axon = client.axons.create(name="on postgresql").id
        watched = log_in()
        for path in (
            "/",
            "/devboxes",
            f"/devboxes/{run.devbox_id}",
            "/scenarios",
            f"/scenarios/{scenario}",
            "/runs",
            f"/runs/{run.id}",
            "/benchmarks",
            "/jobs",
            f"/axons/{axon}",
            "/audit",
            "/search?q=postgresql",
        ):
            watched.go(path)
            assert watched.page.title().endswith("Loopyard")
            assert watched.violations() == [], path
        assert watched.page.locator("main").get_by_text(scenario).count() > 0, "the search found no scenario"


def test_rows_come_by_themselves_on_postgresql(log_in: Callable[..., Watched], server: ServerProcess) -> None:
    watched = log_in()
    watched.go("/devboxes")
    with server.client() as client:
        made = client.devboxes.create(name="comes by itself")
        watched.page.locator("main").get_by_text("comes by itself").first.wait_for(timeout=60_000)
        client.devboxes.shutdown(made.id)
