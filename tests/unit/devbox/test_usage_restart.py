"""Charts of use go on after a restart of the server, and end with their devbox."""

import json
import re
from html import unescape
from typing import Any

from runloop_api_client import Runloop

from loopyard.devbox.usage.history import UsageHistory
from loopyard.runtime.protocol import SandboxUsage
from tests.console import Console
from tests.integration.devbox.waiting import wait_until
from tests.unit.in_process.server import InProcessServer, reached_by_name


def _memory(server: InProcessServer, devbox_id: str) -> list[float]:
    """The memory that the chart of a devbox's page shows, in MiB."""
    with reached_by_name({"own.test": server}), Console(server.base_url) as console:
        console.log_in(server.api_key)
        found = re.search(r'data-usage="([^"]*)"', console.page(f"/devboxes/{devbox_id}"))
    assert found is not None
    told: dict[str, Any] = json.loads(unescape(found[1]))
    return told["memory"]


def test_a_chart_shows_what_was_before_the_restart(own_server: InProcessServer, own: Runloop) -> None:
    made = own.devboxes.create_and_await_running()
    app: Any = own_server.place.app
    history: UsageHistory = app.state.parts.get(UsageHistory)
    own_server.run(history.note({made.id: SandboxUsage(77 << 20, 1.0, 3)}))
    assert 77 in _memory(own_server, made.id)
    own_server.restart()
    assert 77 in _memory(own_server, made.id)
    folder = own_server.data_dir / "usage"
    assert [path.name for path in folder.iterdir()] == [made.id]
    with own_server.client() as anew:
        anew.devboxes.shutdown(made.id)
    wait_until(lambda: not [*folder.iterdir()], lambda: "the samples are kept for ever", 60)
