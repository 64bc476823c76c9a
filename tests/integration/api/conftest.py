"""A server on each engine, and the resources that requests are about."""

from collections.abc import Generator

import httpx
import pytest

from tests.integration.api.resources import Resources, resources
from tests.postgres import PostgresCluster
from tests.serving import ServerProcess, serving
from tests.stores import new_store


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    """Takes the place of the shared server: what one database stores the other may refuse."""
    data = tmp_path_factory.mktemp("api") / "data"
    if request.param == "sqlite":
        with serving(data) as process:
            yield process
    else:
        cluster: PostgresCluster = request.getfixturevalue("postgres")
        with serving(data, database_url=new_store(cluster)) as process:
            yield process


@pytest.fixture(scope="package")
def known(server: ServerProcess) -> Generator[Resources]:
    with resources(server) as made:
        yield made


@pytest.fixture(scope="package")
def http(server: ServerProcess) -> Generator[httpx.Client]:
    """Plain HTTP with the key."""
    headers = {"Authorization": f"Bearer {server.api_key}"}
    with httpx.Client(base_url=server.base_url, headers=headers, timeout=60) as client:
        yield client
