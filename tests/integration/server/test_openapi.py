"""The API's description is the same wherever it is asked for, and says what clients rely on."""

import json
import subprocess
import sys

import httpx
import pytest

from tests.serving import ServerProcess


def test_the_command_prints_what_the_server_serves(server: ServerProcess) -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "loopyard", "openapi"], capture_output=True, check=True, text=True
    ).stdout
    served = httpx.get(f"{server.base_url}/openapi.json", timeout=60)
    assert served.status_code == 200
    assert json.loads(printed) == served.json()


@pytest.mark.semantic
def test_every_operation_has_a_name_of_its_own_and_wants_the_key(server: ServerProcess) -> None:
    document = httpx.get(f"{server.base_url}/openapi.json", timeout=60).json()
    assert document["openapi"].startswith("3.1")
    operations = [(path, operation) for path, methods in document["paths"].items() for operation in methods.values()]
    names = [operation["operationId"] for _, operation in operations]
    assert len(set(names)) == len(names)
    for path, operation in operations:
        if path.startswith("/v1/"):
            assert operation["security"] == [{"bearerAuth": []}], path
            assert operation["responses"]["401"], path
