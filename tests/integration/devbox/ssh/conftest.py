"""A login to the devbox that the tests of a module share."""

from pathlib import Path

import pytest
from runloop_api_client import Runloop

from tests.integration.devbox.ssh.clients import Login


@pytest.fixture(scope="module")
def login(module_client: Runloop, devbox_id: str, tmp_path_factory: pytest.TempPathFactory) -> Login:
    return Login.to(module_client, devbox_id, Path(tmp_path_factory.mktemp("keys")))
