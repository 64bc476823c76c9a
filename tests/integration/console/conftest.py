"""A console that somebody is logged in to."""

from collections.abc import Generator

import pytest

from tests.console import Console
from tests.serving import ServerProcess


@pytest.fixture
def console(server: ServerProcess) -> Generator[Console]:
    """The console of the shared server, logged in with its own key."""
    with Console(server.base_url) as console:
        console.log_in(server.api_key)
        yield console
