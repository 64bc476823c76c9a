"""Streams on which nothing happens."""

from collections.abc import Callable

import httpx
from runloop_api_client import Runloop

from tests.serving import ServerProcess


def test_comments_keep_an_idle_stream_open(server: ServerProcess, client: Runloop) -> None:
    axon = client.axons.create().id
    client.axons.publish(axon, event_type="t", origin="USER_EVENT", payload="{}", source="s")
    headers = {"Authorization": f"Bearer {server.api_key}"}
    url = f"{server.base_url}/v1/axons/{axon}/subscribe/sse"
    with httpx.stream("GET", url, headers=headers, timeout=20) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        _skip(lines.__next__, lambda line: line.startswith("data: "))
        _skip(lines.__next__, lambda line: line == ": ping")


def _skip(read: Callable[[], str], wanted: Callable[[str], bool]) -> None:
    while not wanted(line := read()):
        assert line == ""
