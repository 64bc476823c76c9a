"""A devbox that these tests share."""

from collections.abc import Generator

import pytest
from runloop_api_client import Runloop

from tests.serving import ServerProcess


@pytest.fixture(scope="module")
def module_client(server: ServerProcess) -> Generator[Runloop]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def devbox_id(module_client: Runloop) -> Generator[str]:
    devbox = module_client.devboxes.create_and_await_running()
    yield devbox.id
    module_client.devboxes.shutdown(devbox.id)
