"""One world with one server for all these tests, and devboxes under policies of their own."""

import itertools
from collections.abc import Callable, Generator
from typing import Any

import pytest
from runloop_api_client import Runloop
from tests.network_policy.box import Box
from tests.network_policy.world import World, environment, making
from tests.serving import ServerProcess

MakeBox = Callable[..., Box]
"""Makes a devbox; the arguments are the fields of a policy made for it, none of them for no policy."""

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Generator[World]:
    with making(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.fixture(scope="session")
def server(world: World) -> Generator[ServerProcess]:
    """A server in the world, in place of the one that other tests share."""
    server = world.server("main").start(environment(spare_slots=4, mirrors=["shared.test"]))
    yield server
    end_all(server)
    server.stop()


def end_all(server: ServerProcess) -> None:
    with server.client() as client:
        for devbox in client.devboxes.list(limit=5000):
            if devbox.status not in ("shutdown", "failure"):
                client.devboxes.shutdown(devbox.id)


@pytest.fixture
def make_box(client: Runloop) -> Generator[MakeBox]:
    made: list[str] = []

    def make(policy_id: str | None = None, **policy: Any) -> Box:
        if policy:
            policy_id = new_policy(client, **policy)
        launch: Any = {} if policy_id is None else {"network_policy_id": policy_id}
        devbox = client.devboxes.create_and_await_running(launch_parameters=launch)
        made.append(devbox.id)
        return Box(client, devbox.id)

    yield make
    for devbox_id in made:
        client.devboxes.shutdown(devbox_id)


def new_policy(client: Runloop, **policy: Any) -> str:
    """A policy of a name of its own."""
    return client.network_policies.create(name=f"policy {next(_numbers)}", **policy).id
