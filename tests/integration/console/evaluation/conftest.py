"""An evaluation on a server of its own kind: real runs, on each engine."""

from collections.abc import Generator

import pytest

from tests.console import Console
from tests.integration.benchmark_job.conftest import SHORT
from tests.integration.console.evaluation.making import Evaluation, evaluate
from tests.postgres import PostgresCluster
from tests.serving import ServerProcess, serving
from tests.stores import new_store


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    """Takes the place of the shared server: one whose patience with the infrastructure is short."""
    url = None
    if request.param == "postgresql":
        cluster: PostgresCluster = request.getfixturevalue("postgres")
        url = new_store(cluster)
    with serving(tmp_path_factory.mktemp("console") / "data", database_url=url, env=SHORT) as process:
        yield process


@pytest.fixture(scope="package")
def evaluation(server: ServerProcess) -> Evaluation:
    """What a job of two agents has come to, with hostile text in every field."""
    with server.client() as client:
        return evaluate(client)


@pytest.fixture
def console(server: ServerProcess) -> Generator[Console]:
    with Console(server.base_url) as console:
        console.log_in(server.api_key)
        yield console
