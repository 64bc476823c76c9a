"""The API's description holds all that the wire contract names, where that lies beside the checkout."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.serving import ServerProcess

_COVERAGE = Path(__file__).parents[3].parent / "shared/api/coverage.py"


@pytest.mark.skipif(not _COVERAGE.exists(), reason="the wire contract, ../shared/api, is not beside the checkout")
def test_every_operation_of_the_contract_is_described_whole(server: ServerProcess, tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    document.write_text(httpx.get(f"{server.base_url}/openapi.json", timeout=60).text)
    compared = subprocess.run(
        [sys.executable, _COVERAGE, document, "--verbose"], capture_output=True, text=True, check=False
    )
    assert compared.stderr == ""
    assert compared.stdout.splitlines() == ["operations: 129/129"]
