"""The server is killed at each step of an agent's installation and of a layer's end; afterwards all is right."""

import sqlite3
from collections.abc import Generator
from pathlib import Path

import pytest
from runloop_api_client import APIConnectionError

from tests.integration.agent.making import from_archive, mount
from tests.integration.devbox.host import Host
from tests.integration.devbox.waiting import POLL, run, wait_until
from tests.serving import ServerProcess

SPARE = 2
SETUP = ["date +%N > ~/stamp; echo once >> ~/set-up"]


def _layers(server: ServerProcess) -> dict[str, str]:
    """Ids and states of the layers that the store has."""
    with sqlite3.connect(server.data_dir / "loopyard.db") as store:
        found = dict(store.execute("SELECT id, state FROM agent_layer").fetchall())
    store.close()
    return found


def _kept(server: ServerProcess, host: Host) -> set[str]:
    """The snapshots that the host holds anything of."""
    disks = Path(f"/proc/{host.launcher(server.pid)}/root{server.data_dir}/pool/snapshots")
    found = {path.name for path in disks.iterdir()} if disks.exists() else set[str]()
    return found | {path.stem for path in (server.data_dir / "snapshots").iterdir()}


@pytest.fixture
def server(tmp_path: Path) -> Generator[ServerProcess]:
    """A server to be started by the test. In the end nothing of it is left running."""
    server = ServerProcess(tmp_path / "data")
    yield server
    if not server.alive:
        server.start({"LOOPYARD_RUNTIME__SPARE_SLOTS": str(SPARE)})
    with server.client() as client:
        for devbox in client.devboxes.list():
            client.devboxes.shutdown(devbox.id)
    server.stop()


@pytest.mark.parametrize("place", ["agent.recorded", "agent.installed", "agent.kept", "agent.ready", "agent.evicting"])
def test_killed_while_an_agent_is_installed_or_evicted(server: ServerProcess, place: str) -> None:
    host = Host(server.data_dir, SPARE)
    env = {"LOOPYARD_RUNTIME__SPARE_SLOTS": str(SPARE)}
    cache = {"LOOPYARD_AGENTS__CACHE_GIB": "0"} if place == "agent.evicting" else {}
    server.start({**env, **cache, "LOOPYARD_FAILPOINT": place})
    host.begin()
    with server.client(max_retries=0) as client:
        # With something on the disk, since a layer of no size fits into no room.
        agent = from_archive(client, "crashing", [*SETUP, "head -c 1000000 /dev/urandom > ~/big"])
        try:
            devbox_id = client.devboxes.create(mounts=[mount(agent)]).id
        except APIConnectionError:
            devbox_id = ""
    server.wait_dead()
    server.start(env)
    host.begin()
    with server.client() as client:
        devbox_id = devbox_id or next(iter(client.devboxes.list())).id
        client.devboxes.await_running(devbox_id, polling_config=POLL)
        assert run(client, devbox_id, "cat set-up; agent/run.sh; wc -c < big") == "once\nran\n1000000\n"
        wait_until(lambda: set(_layers(server)) == _kept(server, host), lambda: "the host holds other layers")
        assert set(_layers(server).values()) <= {"ready"}
        host.wait_for_only(server.pid, {devbox_id})
        second = client.devboxes.create_and_await_running(mounts=[mount(agent)], polling_config=POLL)
        same = run(client, devbox_id, "cat stamp") == run(client, second.id, "cat stamp")
        assert same == (place != "agent.evicting")
        assert len(_layers(server)) == 1
        for each in (devbox_id, second.id):
            client.devboxes.shutdown(each)
    host.wait_for_only(server.pid, ())
