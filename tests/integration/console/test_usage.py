"""CPU and memory of a devbox on its page."""

import json
import re
import time
from typing import Any

from runloop_api_client import Runloop

from tests.console import Console


def _figures(html: str) -> dict[str, Any]:
    found = re.search(r'data-usage="([^"]+)"', html)
    assert found is not None
    return json.loads(found[1].replace("&#34;", '"'))


def test_use_is_measured_while_the_page_is_open(console: Console, client: Runloop) -> None:
    made = client.devboxes.create_and_await_running(launch_parameters={"resource_size_request": "X_SMALL"})
    try:
        at = f"/devboxes/{made.id}"
        html = console.page(at)
        assert "uPlot" in html
        assert "uPlot" not in console.page("/devboxes")
        first = _figures(html)
        assert len(first["times"]) == 1
        assert first["memory"][0] > 0
        assert first["most"][0] > 0
        client.devboxes.execute_async(made.id, command="timeout 20 sh -c 'while :; do :; done'")
        seen: list[dict[str, Any]] = []
        deadline = time.monotonic() + 40
        with console.stream("GET", f"/console{at}/live") as stream:
            for line in stream.iter_lines():
                if "data-usage" in line:
                    seen.append(_figures(line))
                assert time.monotonic() < deadline
                if seen and any(one is not None and one > 0.05 for one in seen[-1]["cpu"]):
                    break
        assert len(seen[-1]["times"]) >= 2
        assert seen[-1]["times"] == sorted(seen[-1]["times"])
        assert 'aria-label="CPU and memory over time"' in console.page(at)
    finally:
        client.devboxes.shutdown(made.id)
    ended = console.page(at)
    assert len(_figures(ended)["times"]) >= 2
