"""One world with one server for all these tests, and devboxes under policies of their own."""

from collections.abc import Generator
from typing import Any

import pytest
from runloop_api_client import Runloop

from tests.integration.network_policy.box import Box, MakeBox, end_all, new_policy
from tests.integration.network_policy.world import NAMES_OPEN_SECONDS, World, environment, making
from tests.serving import ServerProcess


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Generator[World]:
    with making(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.fixture(scope="session")
def server(world: World) -> Generator[ServerProcess]:
    """A server in the world, in place of the one that other tests share."""
    settings = environment(spare_slots=4, mirrors=["shared.test"], names_open_seconds=NAMES_OPEN_SECONDS)
    server = world.server("main").start(settings)
    yield server
    end_all(server)
    server.stop()


@pytest.fixture
def make_box(client: Runloop) -> Generator[MakeBox]:
    made: list[str] = []

    def make(policy_id: str | None = None, *, root: bool = False, **policy: Any) -> Box:
        if policy:
            policy_id = new_policy(client, **policy)
        launch: Any = {} if policy_id is None else {"network_policy_id": policy_id}
        if root:
            launch["user_parameters"] = {"uid": 0, "username": "root"}
        devbox = client.devboxes.create_and_await_running(launch_parameters=launch)
        made.append(devbox.id)
        return Box(client, devbox.id)

    yield make
    for devbox_id in made:
        client.devboxes.shutdown(devbox_id)
