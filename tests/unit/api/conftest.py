"""The resources that requests are about, in process."""

from collections.abc import Generator

import pytest

from tests.integration.api.conftest import http
from tests.integration.api.resources import Resources, resources
from tests.unit.in_process.server import InProcessServer

__all__ = ["http", "known"]


@pytest.fixture(scope="session")
def known(server: InProcessServer) -> Generator[Resources]:
    """Made once: the server is that of the session, and their names are taken then."""
    with resources(server) as made:  # type: ignore[arg-type]
        yield made


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """SSH needs a socket that listens; without it, its operation answers so whatever the id."""
    items[:] = [item for item in items if "unit/api/" not in item.nodeid or "create_ssh_key]" not in item.nodeid]
