"""Whether traffic through a tunnel keeps a devbox from idling."""

import time

import pytest
from runloop_api_client import Runloop
from runloop_api_client.types import DevboxView

from tests.devbox.tunnel import services
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


@pytest.mark.parametrize("keep_alive", [True, False])
def test_traffic_keeps_a_devbox_from_idling_where_asked(server: ServerProcess, keep_alive: bool) -> None:
    with server.client() as client:
        devbox = serving_and_else_idle(client, keep_alive=keep_alive)
        assert devbox.tunnel is not None
        begun = time.monotonic()
        with services.through(server, devbox.tunnel.tunnel_key, PORT) as http:
            while time.monotonic() - begun < 2.5 * IDLE_SECONDS:
                answer = http.get("/")
                if answer.status_code == 404:
                    break
                time.sleep(0.3)
        ended = client.devboxes.retrieve(devbox.id)
        if keep_alive:
            assert ended.status == "running"
            services.until(3 * IDLE_SECONDS, lambda: client.devboxes.retrieve(devbox.id).status == "shutdown")
        else:
            assert time.monotonic() - begun < 2 * IDLE_SECONDS
            assert (ended.status, ended.shutdown_reason) == ("shutdown", "idle")
