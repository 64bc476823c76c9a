"""A server on each engine, whose patience with the infrastructure is short."""

from collections.abc import Generator

import pytest
from runloop_api_client import Runloop

from tests.postgres import PostgresCluster
from tests.serving import ServerProcess, serving
from tests.stores import new_store

TINY = """
name = "tiny"
about = "Runs what it was installed with."
command = "~/agent/tiny {problem} {model} {arguments}"
needs_one_of = ["TINY_KEY"]

[environment]
FROM_KIND = "kind"
TINY_LEVEL = "kind"
"""
"""A kind of agent that the operator adds."""

SHORT = {"LOOPYARD_JOBS__RETRY_SECONDS": "0.1", "LOOPYARD_JOBS__RETRIES": "2"}


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    """Takes the place of the shared server."""
    url = None
    if request.param == "postgresql":
        cluster: PostgresCluster = request.getfixturevalue("postgres")
        url = new_store(cluster)
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "kinds").mkdir()
    (folder / "kinds" / "tiny.toml").write_text(TINY)
    env = {**SHORT, "LOOPYARD_AGENTS__CATALOG": str(folder / "kinds")}
    with serving(folder / "data", database_url=url, env=env) as process:
        yield process


@pytest.fixture
def api(server: ServerProcess) -> Generator[Runloop]:
    with server.client(max_retries=0) as client:
        yield client
