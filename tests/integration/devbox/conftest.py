"""A devbox that the tests of a module share."""

from collections.abc import Generator

import pytest
from runloop_api_client import Runloop

from tests.serving import ServerProcess


@pytest.fixture(scope="module")
def devbox_id(server: ServerProcess) -> Generator[str]:
    """A running devbox of the default kind."""
    with server.client() as client:
        devbox = client.devboxes.create_and_await_running(name="shared")
        yield devbox.id
        client.devboxes.shutdown(devbox.id)


@pytest.fixture(scope="module")
def module_client(server: ServerProcess) -> Generator[Runloop]:
    with server.client() as client:
        yield client
