"""Helpers of the tests of blueprints."""

import time
from typing import Any
from uuid import uuid4

from runloop_api_client import Runloop
from runloop_api_client.types import BlueprintView

BUILD_SECONDS = 200
_UNFINISHED = ("queued", "provisioning", "building")


def fresh() -> str:
    """A step that no build has had before, so that those after it are not from the cache."""
    return f"RUN : {uuid4()}\n"


def build(client: Runloop, name: str = "test", **params: Any) -> BlueprintView:
    """Build a blueprint to its end, whichever that is."""
    return ended(client, client.blueprints.create(name=name, **params).id)


def build_service(client: Runloop, image: str, user: str, password: str) -> BlueprintView:
    """Build a blueprint with a service whose image is fetched with a login of the account's own."""
    credentials = {"username": user, "password": password}
    return build(client, services=[{"name": "one", "image": image, "credentials": credentials}])


def ended(client: Runloop, blueprint_id: str) -> BlueprintView:
    deadline = time.monotonic() + BUILD_SECONDS
    while True:
        blueprint = client.blueprints.retrieve(blueprint_id)
        if blueprint.status not in _UNFINISHED:
            return blueprint
        assert time.monotonic() < deadline, said(client, blueprint_id)
        time.sleep(0.05)


def said(client: Runloop, blueprint_id: str) -> str:
    """All that the build has said so far."""
    return "\n".join(line.message for line in client.blueprints.logs(blueprint_id).logs)


def until_said(client: Runloop, blueprint_id: str, text: str) -> None:
    deadline = time.monotonic() + BUILD_SECONDS
    while text not in said(client, blueprint_id):
        assert client.blueprints.retrieve(blueprint_id).status in _UNFINISHED, said(client, blueprint_id)
        assert time.monotonic() < deadline
        time.sleep(0.05)


def complete(client: Runloop, name: str = "test", **params: Any) -> BlueprintView:
    """Build a blueprint; it must become complete."""
    blueprint = build(client, name, **params)
    assert blueprint.status == "build_complete", said(client, blueprint.id)
    return blueprint


def output(client: Runloop, command: str, **params: Any) -> str:
    """What a command prints in a new devbox."""
    devbox = client.devboxes.create_and_await_running(**params)
    try:
        done = client.devboxes.execute_and_await_completion(devbox.id, command=command)
        assert done.exit_status == 0, (done.stdout, done.stderr)
        return done.stdout or ""
    finally:
        client.devboxes.shutdown(devbox.id)
