"""Devboxes that get a sandbox which was made before they were asked for, on a server that is killed."""

import json
import time
from collections.abc import Generator
from pathlib import Path
from typing import Literal

import httpx
import pytest
from runloop_api_client import Runloop, RunloopError

from tests.integration.devbox.host import Host
from tests.integration.devbox.waiting import POLL, execute, wait_for, wait_until
from tests.serving import ServerProcess

READY, SPARE = 3, 2
ENV = {"LOOPYARD_RUNTIME__READY_SANDBOXES": str(READY), "LOOPYARD_RUNTIME__SPARE_SLOTS": str(SPARE)}


class Keeping:
    """A server that keeps some sandboxes ready."""

    def __init__(self, data_dir: Path) -> None:
        self.server = ServerProcess(data_dir)
        self.host = Host(data_dir, SPARE + READY)

    def start(self, failpoint: str | None = None) -> None:
        self.server.start(ENV if failpoint is None else {**ENV, "LOOPYARD_FAILPOINT": failpoint})
        self.host.begin()

    def until_ready(self, *, beside: int = 0) -> set[str]:
        """Wait until all are there, beside so many that devboxes have got; their names."""

        def there() -> bool:
            states = [*(self.server.data_dir / "ready").glob("*/state.json")]
            return len(states) == READY + beside

        wait_until(there, lambda: f"ready: {self.host.ready()}")
        return self.host.ready()

    def name(self, devbox_id: str) -> str:
        """Under which name a devbox's sandbox was made."""
        return json.loads((self.server.data_dir / "sandboxes" / devbox_id / "meta.json").read_text())["name"]


@pytest.fixture
def keeping(tmp_path: Path) -> Generator[Keeping]:
    keeping = Keeping(tmp_path / "data")
    keeping.start()
    yield keeping
    if not keeping.server.alive:
        keeping.start()
    with keeping.server.client() as api:
        for devbox in api.devboxes.list(limit=5000):
            if devbox.status not in ("shutdown", "failure"):
                api.devboxes.shutdown(devbox.id)
    keeping.host.wait_for_only(keeping.server.pid, ())
    assert keeping.server.stop() == 0
    assert keeping.host.ready() == set(), "they end with the server"


def _create(api: Runloop, size: Literal["SMALL", "MEDIUM"]) -> None:
    """The answer may never come, since the server dies meanwhile."""
    try:
        api.devboxes.create(environment_variables={"WORD": "kept"}, launch_parameters={"resource_size_request": size})
    except (RunloopError, httpx.HTTPError):
        return


def test_a_devbox_gets_one_and_lists_stay_in_order(keeping: Keeping) -> None:
    names = keeping.until_ready()
    with keeping.server.client() as api:
        made = [api.devboxes.create_and_await_running(name=f"n{number}").id for number in range(2)]
        assert [devbox.id for devbox in api.devboxes.list()] == made[::-1]
        assert all(execute(api, one, "echo here").stdout == "here\n" for one in made)
        assert len(keeping.host.ready() & names) == READY
        keeping.until_ready(beside=2)
        keeping.host.wait_for_only(keeping.server.pid, made)


def test_a_killed_server_leaves_no_ready_ones_and_keeps_devboxes(keeping: Keeping) -> None:
    keeping.until_ready()
    with keeping.server.client() as api:
        devbox_id = api.devboxes.create_and_await_running(environment_variables={"WORD": "kept"}).id
        execution = api.devboxes.execute_async(devbox_id, command="sleep 3; echo $WORD")
    before = keeping.until_ready(beside=1)
    keeping.server.kill()
    keeping.start()
    keeping.host.wait_for_only(keeping.server.pid, (devbox_id,))
    assert len(keeping.until_ready(beside=1) & before) == 1, "only the devbox's own is still there"
    with keeping.server.client() as api:
        done = api.devboxes.executions.await_completed(execution.execution_id, devbox_id=devbox_id, polling_config=POLL)
        assert done.stdout == "kept\n"


def _create_and_be_killed(keeping: Keeping, failpoint: str, size: Literal["SMALL", "MEDIUM"]) -> set[str]:
    """Have the server killed there while it makes a devbox, and start it again. Returns what was ready before."""
    keeping.until_ready()
    keeping.server.kill()
    keeping.start(failpoint)
    before = keeping.until_ready()
    with keeping.server.client(max_retries=0) as api:
        _create(api, size)
    keeping.server.wait_dead(60)
    keeping.start()
    return before


def _only_devbox(keeping: Keeping, api: Runloop) -> str:
    """The one that there is: it runs, has what it was asked for with, and nothing else is there."""
    (devbox,) = api.devboxes.list()
    api.devboxes.await_running(devbox.id, polling_config=POLL)
    keeping.host.wait_for_only(keeping.server.pid, (devbox.id,))
    assert execute(api, devbox.id, "echo $WORD").stdout == "kept\n"
    return devbox.id


def test_killed_while_one_is_handed_over(keeping: Keeping) -> None:
    _create_and_be_killed(keeping, "sandbox.taken", "SMALL")
    with keeping.server.client() as api:
        devbox_id = _only_devbox(keeping, api)
        api.devboxes.suspend(devbox_id)
        wait_for(api, devbox_id, "suspended")
        keeping.host.wait_for_only(keeping.server.pid, (), (devbox_id,))
        api.devboxes.resume(devbox_id)
        api.devboxes.await_running(devbox_id, polling_config=POLL)
        assert execute(api, devbox_id, "echo $WORD").stdout == "kept\n"


def test_killed_when_one_is_refitted_and_nobodys(keeping: Keeping) -> None:
    before = _create_and_be_killed(keeping, "sandbox.refitted", "MEDIUM")
    with keeping.server.client() as api:
        _only_devbox(keeping, api)
        assert not keeping.host.ready() & before


def test_devboxes_of_every_kind_get_one(keeping: Keeping) -> None:
    with keeping.server.client() as api:
        blueprint = api.blueprints.create_and_await_build_complete(
            name="with-word", system_setup_commands=["echo built | sudo tee /opt/word"], polling_config=POLL
        )
        made = api.devboxes.create_and_await_running(name="first", polling_config=POLL).id
        execute(api, made, "echo snapped > word")
        snapshot = api.devboxes.snapshot_disk(made)
        api.devboxes.shutdown(made)
        keeping.host.wait_for_only(keeping.server.pid, ())
        keeping.until_ready()
        sized = api.devboxes.create_and_await_running(launch_parameters={"resource_size_request": "MEDIUM"})
        built = api.devboxes.create_and_await_running(blueprint_id=blueprint.id)
        copied = api.devboxes.create_and_await_running(snapshot_id=snapshot.id)
        ids = [sized.id, built.id, copied.id]
        assert {keeping.name(one).startswith("ready_") for one in ids} == {True}
        assert execute(api, sized.id, "cat /sys/fs/cgroup/memory.max 2>/dev/null || true").stdout in (
            "",
            f"{4 << 30}\n",
        )
        assert execute(api, built.id, "cat /opt/word").stdout == "built\n"
        assert execute(api, copied.id, "cat word").stdout == "snapped\n"
        keeping.host.wait_for_only(keeping.server.pid, ids)
        api.devboxes.delete_disk_snapshot(snapshot.id)
        assert execute(api, copied.id, "cat word").stdout == "snapped\n"
        api.devboxes.shutdown(built.id)
        api.blueprints.delete(blueprint.id)


def test_they_are_not_made_while_devboxes_are(keeping: Keeping) -> None:
    keeping.until_ready()
    with keeping.server.client() as api:
        until = time.monotonic() + 2
        made: list[str] = []
        while time.monotonic() < until or len(made) <= READY:
            made.append(api.devboxes.create_and_await_running().id)
        keeping.until_ready(beside=READY)
        keeping.host.wait_for_only(keeping.server.pid, made)
