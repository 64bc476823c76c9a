"""Plain HTTP, and an axon."""

from collections.abc import Generator

import httpx
import pytest
from runloop_api_client import Runloop

from tests.serving import ServerProcess


@pytest.fixture
def http(server: ServerProcess) -> Generator[httpx.Client]:
    """Plain HTTP with the key."""
    headers = {"Authorization": f"Bearer {server.api_key}"}
    with httpx.Client(base_url=server.base_url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture
def axon(client: Runloop) -> str:
    """A new axon's id."""
    return client.axons.create().id
