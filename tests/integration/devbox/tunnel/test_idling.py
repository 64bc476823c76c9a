"""Whether traffic through a tunnel keeps a devbox from idling."""

import time
from contextlib import ExitStack

from runloop_api_client import Runloop
from runloop_api_client.types import DevboxView

from tests.integration.devbox.tunnel import services
from tests.serving import ServerProcess

PORT = 8002
IDLE_SECONDS = 4


def serving_and_else_idle(client: Runloop, *, keep_alive: bool) -> DevboxView:
    """A devbox that ends after four idle seconds, in which a service runs that no execution holds."""
    devbox = client.devboxes.create_and_await_running(
        tunnel={"http_keep_alive": keep_alive},
        launch_parameters={
            "after_idle": {"idle_time_seconds": IDLE_SECONDS, "on_idle": "shutdown"},
            "launch_commands": [f"setsid python3 -m http.server {PORT} >/dev/null 2>&1 </dev/null &"],
        },
    )
    assert devbox.tunnel is not None
    return devbox


def test_traffic_keeps_a_devbox_from_idling_where_asked(server: ServerProcess) -> None:
    with server.client() as client, ExitStack() as stack:
        kept, other = (serving_and_else_idle(client, keep_alive=keep_alive) for keep_alive in (True, False))
        ways = [
            stack.enter_context(services.through(server, devbox.tunnel.tunnel_key, PORT))
            for devbox in (kept, other)
            if devbox.tunnel is not None
        ]
        begun = time.monotonic()
        while time.monotonic() - begun < 2.5 * IDLE_SECONDS:
            for way in ways:
                way.get("/")
            time.sleep(0.3)
        assert client.devboxes.retrieve(kept.id).status == "running"
        ended = client.devboxes.retrieve(other.id)
        assert (ended.status, ended.shutdown_reason) == ("shutdown", "idle")
        times = {transition.status: transition.transition_time_ms for transition in ended.state_transitions}
        assert times["shutdown"] - times["running"] < 2 * IDLE_SECONDS * 1000  # type: ignore[operator]
        services.until(3 * IDLE_SECONDS, lambda: client.devboxes.retrieve(kept.id).status == "shutdown")
