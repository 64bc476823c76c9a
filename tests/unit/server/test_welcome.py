"""What is at /."""

import httpx
import pytest

from loopyard.version import VERSION
from tests.unit.in_process.server import InProcessServer


def test_a_browser_is_told_what_this_is(server: InProcessServer) -> None:
    answer = httpx.get(f"{server.base_url}/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == "text/html"
    assert VERSION in answer.text
    assert "/healthz" in answer.text
    assert 'href="/console/"' in answer.text


@pytest.mark.parametrize("accept", ["application/json", "*/*"])
def test_a_client_is_told_in_json_where_the_api_is(server: InProcessServer, accept: str) -> None:
    answer = httpx.get(f"{server.base_url}/", headers={"Accept": accept})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "/v1" in answer.json()["message"]
