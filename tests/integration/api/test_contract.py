"""The API's description holds all that the wire contract names, where that lies beside the checkout."""

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.serving import ServerProcess

_COVERAGE = Path(__file__).parents[3].parent / "shared/api/coverage.py"

_TO_COME = re.compile(r"MISSING \w+ +/v1/(mcp-configs|devboxes/\{id\}/create_mcp_token)\b")
"""What no release has yet. An operation that is there must be there whole."""


@pytest.mark.skipif(not _COVERAGE.exists(), reason="the wire contract, ../shared/api, is not beside the checkout")
def test_every_operation_of_the_contract_is_described_whole(server: ServerProcess, tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    document.write_text(httpx.get(f"{server.base_url}/openapi.json").text)
    compared = subprocess.run(
        [sys.executable, _COVERAGE, document, "--verbose"], capture_output=True, text=True, check=False
    )
    assert compared.stderr == ""
    *gaps, last = compared.stdout.splitlines()
    assert last.startswith("operations: ")
    assert [gap for gap in gaps if not _TO_COME.match(gap)] == []
