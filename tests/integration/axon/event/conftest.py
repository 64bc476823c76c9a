"""A server on each engine, for tests of what the store has to do with."""

from collections.abc import Generator

import pytest

from tests.postgres import PostgresCluster
from tests.serving import ServerProcess, serving
from tests.stores import new_store


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    """Takes the place of the shared server."""
    data = tmp_path_factory.mktemp("axon") / "data"
    url = None
    if request.param == "postgresql":
        cluster: PostgresCluster = request.getfixturevalue("postgres")
        url = new_store(cluster)
    with serving(data, database_url=url) as process:
        yield process
