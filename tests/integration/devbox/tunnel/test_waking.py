"""Requests through the tunnel of a suspended devbox: it is woken where that is asked for."""

import threading
from typing import Any

import pytest
from runloop_api_client import Runloop
from runloop_api_client.types import DevboxView

from tests.integration.devbox.tunnel import services
from tests.serving import ServerProcess

PORT = 8004


def suspended(client: Runloop, *, wake_on_http: bool, trigger: bool | None = None) -> DevboxView:
    """A suspended devbox whose service is started by a launch command, whenever it starts."""
    launch: Any = {
        "launch_commands": [f"setsid python3 -m http.server {PORT} >/dev/null 2>&1 </dev/null &"],
    }
    if trigger is not None:
        launch["lifecycle"] = {"resume_triggers": {"http": trigger}}
    devbox = client.devboxes.create_and_await_running(tunnel={"wake_on_http": wake_on_http}, launch_parameters=launch)
    client.devboxes.write_file_contents(devbox.id, file_path="kept.txt", contents="kept")
    client.devboxes.suspend(devbox.id)
    client.devboxes.await_suspended(devbox.id)
    return devbox


@pytest.mark.parametrize(("wake_on_http", "trigger"), [(True, None), (False, True)])
def test_a_request_wakes_a_devbox_and_is_answered(
    server: ServerProcess, client: Runloop, wake_on_http: bool, trigger: bool | None
) -> None:
    devbox = suspended(client, wake_on_http=wake_on_http, trigger=trigger)
    assert devbox.tunnel is not None
    key = devbox.tunnel.tunnel_key
    statuses: list[int] = []

    def ask() -> None:
        with services.through(server, key, PORT) as http:
            answer = http.get("/kept.txt")
            statuses.append(answer.status_code)
            assert answer.text == "kept"

    several = [threading.Thread(target=ask) for _ in range(5)]
    for thread in several:
        thread.start()
    for thread in several:
        thread.join()
    assert statuses == [200] * 5
    woken = client.devboxes.retrieve(devbox.id)
    assert woken.status == "running"
    assert [entry.status for entry in woken.state_transitions].count("resuming") == 1
    assert woken.tunnel == devbox.tunnel
    client.devboxes.shutdown(devbox.id)


@pytest.mark.parametrize(("wake_on_http", "trigger"), [(False, None), (True, False)])
def test_a_devbox_that_is_not_to_be_woken_sleeps_on(
    server: ServerProcess, client: Runloop, wake_on_http: bool, trigger: bool | None
) -> None:
    devbox = suspended(client, wake_on_http=wake_on_http, trigger=trigger)
    assert devbox.tunnel is not None
    with services.through(server, devbox.tunnel.tunnel_key, PORT) as http:
        answer = http.get("/")
    assert answer.status_code == 503
    assert answer.json()["code"] == "devbox_not_running"
    assert client.devboxes.retrieve(devbox.id).status == "suspended"
    client.devboxes.shutdown(devbox.id)


def test_a_caller_without_the_token_wakes_nobody(server: ServerProcess, client: Runloop) -> None:
    devbox = client.devboxes.create_and_await_running(tunnel={"auth_mode": "authenticated", "wake_on_http": True})
    client.devboxes.suspend(devbox.id)
    client.devboxes.await_suspended(devbox.id)
    assert devbox.tunnel is not None
    with services.through(server, devbox.tunnel.tunnel_key, PORT, "wrong") as http:
        assert http.get("/").status_code == 401
    assert client.devboxes.retrieve(devbox.id).status == "suspended"
    client.devboxes.shutdown(devbox.id)
