"""What is at /."""

import httpx
import pytest

from loopyard.version import VERSION
from tests.unit.in_process.server import InProcessServer


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("application/json", "application/json"),
        ("*/*", "text/plain"),
    ],
)
def test_the_address_itself_says_what_this_is(server: InProcessServer, accept: str, kind: str) -> None:
    answer = httpx.get(f"{server.base_url}/", headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == kind
    assert VERSION in answer.text
    assert "/healthz" in answer.text
    assert httpx.get(f"{server.base_url}/nothing", headers={"Accept": accept}).json()["code"] == "not_found"
