"""A server on each engine."""

from collections.abc import Generator

import pytest
from runloop_api_client import Runloop

from tests.postgres import PostgresCluster
from tests.serving import ServerProcess, serving
from tests.stores import new_store


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    """Takes the place of the shared server: what ends at the same time is kept apart differently by the databases."""
    url = None
    if request.param == "postgresql":
        cluster: PostgresCluster = request.getfixturevalue("postgres")
        url = new_store(cluster)
    with serving(tmp_path_factory.mktemp("benchmarks") / "data", database_url=url) as process:
        yield process


@pytest.fixture
def api(server: ServerProcess) -> Generator[Runloop]:
    with server.client(max_retries=0) as client:
        yield client
