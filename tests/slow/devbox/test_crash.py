"""The server, or its launcher, is killed at each step of a devbox's life; afterwards all is right and nothing is
orphaned."""

import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from runloop_api_client import APIStatusError, Runloop, RunloopError
from runloop_api_client.types import DevboxView

from tests.integration.devbox.host import Host
from tests.integration.devbox.waiting import POLL, execute, run, statuses, wait_until
from tests.serving import ServerProcess

SPARE = 2
ONCE = {"launch_commands": ["echo once >> ~/launched"]}
MOUNT = {"notes.txt": "mounted\n"}


class Crashing:
    """A server to be killed, with one devbox that must not notice."""

    def __init__(self, data_dir: Path) -> None:
        self.server = ServerProcess(data_dir)
        self.host = Host(data_dir, SPARE)
        self.bystander = self.background = ""
        self._armed = False
        self._known: set[str] = set()

    def begin(self) -> None:
        """Have a server that nothing kills and a bystander that runs; what is there now is not the test's."""
        if self._armed and self.server.alive:
            self.server.kill()
        if not self.server.alive:
            self.start()
        with self.server.client() as api:
            if not self.bystander or api.devboxes.retrieve(self.bystander).status != "running":
                self.bystander = api.devboxes.create_and_await_running(name="bystander").id
                self.background = api.devboxes.execute_async(
                    self.bystander, command="i=0; while true; do i=$((i+1)); echo $i; sleep 0.05; done"
                ).execution_id
            self._known = {devbox.id for devbox in api.devboxes.list(limit=5000)}
        self.processes = self.host.processes(self.bystander)

    def made(self, api: Runloop) -> list[str]:
        """The devboxes that were made since the test began."""
        return [devbox.id for devbox in api.devboxes.list(limit=5000) if devbox.id not in self._known]

    def end_all(self, *but: str) -> None:
        """End all devboxes but these, and see that the host has nothing of them."""
        if not self.server.alive:
            self.start()
        with self.server.client() as api:
            for devbox in api.devboxes.list(limit=5000):
                if devbox.status not in ("shutdown", "failure") and devbox.id not in but:
                    api.devboxes.shutdown(devbox.id, force="true")
        self.host.wait_for_only(self.server.pid, but, seconds=60)

    def start(self, failpoint: str | None = None) -> None:
        env = {"LOOPYARD_RUNTIME__SPARE_SLOTS": str(SPARE)}
        self._armed = failpoint is not None
        self.server.start(env if failpoint is None else {**env, "LOOPYARD_FAILPOINT": failpoint})
        if failpoint is None:
            self.host.begin()

    def restart(self, failpoint: str) -> None:
        """Start it again such that it dies at the failpoint."""
        self.server.kill()
        self.start(failpoint)

    def revive(self) -> None:
        """Wait until it is dead, and start it anew."""
        self.server.wait_dead(60)
        self.start()

    def snapshots(self) -> set[str]:
        """Those that the host holds anything of."""
        launcher = self.host.launcher(self.server.pid)
        disks = Path(f"/proc/{launcher}/root{self.server.data_dir}/pool/snapshots")
        found = {path.name for path in disks.iterdir()} if disks.exists() else set[str]()
        return found | {path.stem for path in (self.server.data_dir / "snapshots").iterdir()}

    def _commands(self) -> set[str]:
        return {path.name for path in (self.server.data_dir / "commands").iterdir()}

    def check(self, *, running: tuple[str, ...] = (), stopped: tuple[str, ...] = ()) -> None:
        """The host holds these devboxes, the bystander, and nothing else; and the bystander was left in peace."""
        self.host.wait_for_only(self.server.pid, {self.bystander, *running}, stopped)
        with self.server.client() as api:
            known = {devbox.id for devbox in api.devboxes.list(limit=5000)}
            deadline = time.monotonic() + 20  # what commands wrote goes after the sandbox
            while not (commands := self._commands()) <= known:
                assert time.monotonic() < deadline, commands - known
                time.sleep(0.05)
            assert api.devboxes.retrieve(self.bystander).status == "running"
            execution = api.devboxes.executions.retrieve(self.background, devbox_id=self.bystander)
            assert execution.status == "running"
        # All but the `sleep` that is another one each time.
        assert len(self.processes & self.host.processes(self.bystander)) >= len(self.processes) - 1


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Generator[Crashing]:
    """The one that all these tests kill. Started once more in the end, it finds and leaves nothing."""
    victim = Crashing(tmp_path_factory.mktemp("crashing") / "data")
    yield victim
    victim.end_all()
    victim.server.kill()
    victim.start()
    victim.host.wait_for_only(victim.server.pid, (), fresh=True)
    victim.server.stop()


@pytest.fixture
def crashing(victim: Crashing) -> Generator[Crashing]:
    victim.begin()
    yield victim
    victim.end_all(victim.bystander)


def attempt(api: Runloop, path: str, body: object = None) -> None:
    """A call whose answer may never come, since the server dies in it."""
    try:
        api.post(path, body=body or {}, cast_to=object)
    except APIStatusError:
        raise
    except (RunloopError, httpx.HTTPError):
        return


def other(crashing: Crashing, api: Runloop) -> str:
    """The one devbox that the test made."""
    (found,) = crashing.made(api)
    return found


@pytest.mark.parametrize(
    "place",
    [
        "devbox.provisioning",
        "devbox.created",
        "devbox.initializing",
        "execution.recorded",
        "execution.ended",
        "devbox.running",
    ],
)
def test_killed_while_a_devbox_is_made(crashing: Crashing, place: str) -> None:
    crashing.restart(place)
    with crashing.server.client(max_retries=0) as api:
        attempt(api, "/v1/devboxes", {"launch_parameters": ONCE, "file_mounts": MOUNT})
    crashing.revive()
    with crashing.server.client() as api:
        devbox_id = other(crashing, api)
        devbox = api.devboxes.await_running(devbox_id, polling_config=POLL)
        assert statuses(devbox) == ["queued", "provisioning", "initializing", "running"]
        crashing.check(running=(devbox_id,))
        assert execute(api, devbox_id, "cat launched notes.txt").stdout == "once\nmounted\n"


@pytest.mark.parametrize("place", ["devbox.ended", "devbox.destroyed"])
@pytest.mark.parametrize("made", [True, False])
def test_killed_while_a_devbox_ends(crashing: Crashing, place: str, *, made: bool) -> None:
    crashing.restart(place)
    with crashing.server.client(max_retries=0) as api:
        devbox = api.devboxes.create_and_await_running() if made else api.devboxes.create()
        attempt(api, f"/v1/devboxes/{devbox.id}/shutdown")
    crashing.revive()
    with crashing.server.client() as api:
        ended = api.devboxes.retrieve(devbox.id)
        assert (ended.status, ended.shutdown_reason) == ("shutdown", "api_shutdown")
    crashing.check()


def test_killed_while_a_devbox_fails(crashing: Crashing) -> None:
    crashing.restart("devbox.ended")
    with crashing.server.client(max_retries=0) as api:
        attempt(api, "/v1/devboxes", {"launch_parameters": {"launch_commands": ["exit 3"]}})
    crashing.revive()
    with crashing.server.client() as api:
        devbox = api.devboxes.retrieve(other(crashing, api))
        assert (devbox.status, devbox.failure_reason) == ("failure", "execution_failed")
    crashing.check()


SLEEPY = {
    **ONCE,
    "lifecycle": {"lifecycle_hooks": {"suspend_commands": ["echo bye >> ~/launched"], "suspend_deadline_ms": 60_000}},
}


@pytest.mark.parametrize(
    "place",
    ["devbox.suspending", "execution.recorded", "execution.ended", "devbox.quiet", "devbox.asleep", "devbox.suspended"],
)
def test_killed_while_a_devbox_is_suspended(crashing: Crashing, place: str) -> None:
    with crashing.server.client() as api:
        devbox_id = api.devboxes.create_and_await_running(launch_parameters=SLEEPY).id  # type: ignore[arg-type]
    crashing.restart(place)
    with crashing.server.client(max_retries=0) as api:
        attempt(api, f"/v1/devboxes/{devbox_id}/suspend")
    crashing.revive()
    with crashing.server.client() as api:
        devbox = api.devboxes.await_suspended(devbox_id, polling_config=POLL)
        assert statuses(devbox)[-3:] == ["running", "suspending", "suspended"]
        crashing.check(stopped=(devbox_id,))
        api.devboxes.resume(devbox_id)
        api.devboxes.await_running(devbox_id, polling_config=POLL)
        assert run(api, devbox_id, "cat launched").split() == ["once", "bye", "once"]
    crashing.check(running=(devbox_id,))


@pytest.mark.parametrize(
    "place",
    [
        "devbox.resuming",
        "devbox.created",
        "devbox.initializing",
        "devbox.entered",
        "devbox.running",
    ],
)
def test_killed_while_a_devbox_is_resumed(crashing: Crashing, place: str) -> None:
    with crashing.server.client() as api:
        devbox_id = api.devboxes.create_and_await_running(
            launch_parameters=SLEEPY,  # type: ignore[arg-type]
            entrypoint="echo entered >> ~/launched; exec sleep 1000",
        ).id
        api.devboxes.suspend(devbox_id)
        api.devboxes.await_suspended(devbox_id, polling_config=POLL)
        crashing.check(stopped=(devbox_id,))
    crashing.restart(place)
    with crashing.server.client(max_retries=0) as api:
        attempt(api, f"/v1/devboxes/{devbox_id}/resume")
    crashing.revive()
    with crashing.server.client() as api:
        devbox = api.devboxes.await_running(devbox_id, polling_config=POLL)
        assert statuses(devbox)[-3:] == ["suspended", "resuming", "running"]
        crashing.check(running=(devbox_id,))
        lines = "until [ $(wc -l < launched) -ge 5 ]; do sleep 0.05; done; cat launched"
        assert run(api, devbox_id, lines).split() == ["once", "entered", "bye", "once", "entered"]
        assert run(api, devbox_id, "pgrep -xc sleep") == "1\n"


@pytest.mark.parametrize("place", ["snapshot.recorded", "snapshot.taken"])
def test_killed_while_a_snapshot_is_taken(crashing: Crashing, place: str) -> None:
    with crashing.server.client() as api:
        source = api.devboxes.create_and_await_running().id
        run(api, source, "echo kept > file")
    crashing.restart(place)
    with crashing.server.client(max_retries=0) as api:
        attempt(api, f"/v1/devboxes/{source}/snapshot_disk", {"name": f"killed at {place}"})
    crashing.revive()
    with crashing.server.client() as api:
        (snapshot,) = (one for one in api.devboxes.list_disk_snapshots(limit=100) if one.name == f"killed at {place}")
        status = api.devboxes.disk_snapshots.await_completed(snapshot.id, polling_config=POLL)
        assert status.status == "complete"
        assert crashing.snapshots() == {snapshot.id}
        devbox = api.devboxes.create_and_await_running(snapshot_id=snapshot.id)
        assert run(api, devbox.id, "cat file") == "kept\n"
        crashing.check(running=(source, devbox.id))
        api.devboxes.disk_snapshots.delete(snapshot.id)
        wait_until(lambda: not crashing.snapshots(), lambda: "the snapshot is still there")


@pytest.mark.parametrize("place", ["snapshot.deleted", "snapshot.dropped"])
def test_killed_while_a_snapshot_is_deleted(crashing: Crashing, place: str) -> None:
    with crashing.server.client() as api:
        snapshot = api.devboxes.snapshot_disk(crashing.bystander)
    crashing.restart(place)
    with crashing.server.client(max_retries=0) as api:
        attempt(api, f"/v1/devboxes/disk_snapshots/{snapshot.id}/delete")
    crashing.revive()
    with crashing.server.client() as api:
        assert api.devboxes.disk_snapshots.query_status(snapshot.id).status == "deleted"
    wait_until(lambda: not crashing.snapshots(), lambda: "the snapshot is still there")
    crashing.check()


def test_snapshots_that_one_side_does_not_know(crashing: Crashing) -> None:
    with crashing.server.client() as api:
        stranger, lost = (api.devboxes.snapshot_disk(crashing.bystander).id for _ in range(2))
    launcher = crashing.host.launcher(crashing.server.pid)
    disk = crashing.server.data_dir / "pool/snapshots" / lost
    delete = ["nsenter", "--target", str(launcher), "--mount", "btrfs", "subvolume", "delete", str(disk)]
    subprocess.run(delete, check=True, capture_output=True)
    crashing.server.kill()
    with sqlite3.connect(crashing.server.data_dir / "loopyard.db") as store:
        store.execute("DELETE FROM snapshot WHERE id = ?", (stranger,))
    store.close()
    crashing.start()
    wait_until(lambda: not crashing.snapshots(), lambda: "the unknown snapshot is still there")
    with crashing.server.client() as api:
        status = api.devboxes.disk_snapshots.query_status(lost)
        assert status.status == "error"
        assert "no longer" in (status.error_message or "")


def test_a_suspended_devbox_whose_disk_is_gone_has_failed(crashing: Crashing) -> None:
    with crashing.server.client() as api:
        devbox_id = api.devboxes.create_and_await_running().id
        api.devboxes.suspend(devbox_id)
        api.devboxes.await_suspended(devbox_id, polling_config=POLL)
    crashing.server.kill()
    shutil.rmtree(crashing.server.data_dir / "sandboxes" / devbox_id)
    crashing.start()
    with crashing.server.client() as api:
        devbox = api.devboxes.retrieve(devbox_id)
        assert (devbox.status, devbox.failure_reason) == ("failure", "health_check_failed")
    crashing.check()


def test_killed_again_and_again_while_many_devboxes_are_made(crashing: Crashing) -> None:
    with crashing.server.client(max_retries=0) as api:
        for _ in range(12):
            api.devboxes.create(launch_parameters=ONCE)  # type: ignore[arg-type]
    for pause in (0.0, 0.05, 0.1, 0.2):
        time.sleep(pause)
        crashing.server.kill()
        crashing.start()
    with crashing.server.client() as api:
        made = crashing.made(api)
        assert len(made) == 12
        for devbox_id in made:
            api.devboxes.await_running(devbox_id, polling_config=POLL)
            assert api.devboxes.read_file_contents(devbox_id, file_path="launched") == "once\n"
    crashing.check(running=tuple(made))


def test_a_sandbox_that_the_store_does_not_know_is_removed(crashing: Crashing) -> None:
    with crashing.server.client() as api:
        stranger = api.devboxes.create_and_await_running().id
        execute(api, stranger, "true")
    crashing.server.kill()
    with sqlite3.connect(crashing.server.data_dir / "loopyard.db") as store:
        store.execute("DELETE FROM devbox WHERE id = ?", (stranger,))
    store.close()
    crashing.start()
    crashing.check()


def test_a_devbox_that_went_down_while_the_server_was_away_has_failed(crashing: Crashing) -> None:
    with crashing.server.client() as api:
        devbox_id = api.devboxes.create_and_await_running().id
        execution = api.devboxes.execute_async(devbox_id, command="sleep 1000").execution_id
    crashing.server.kill()
    for pid in crashing.host.processes(devbox_id):
        os.kill(pid, signal.SIGKILL)
    crashing.start()
    with crashing.server.client() as api:
        devbox = api.devboxes.retrieve(devbox_id)
        assert (devbox.status, devbox.failure_reason) == ("failure", "health_check_failed")
        ended = api.devboxes.executions.retrieve(execution, devbox_id=devbox_id)
        assert (ended.status, ended.exit_status) == ("completed", 137)
    crashing.check()


def test_the_launcher_is_killed_while_devboxes_are_made(crashing: Crashing) -> None:
    done = threading.Event()

    def kill() -> None:
        while not done.wait(0.15):
            os.kill(crashing.host.launcher(crashing.server.pid), signal.SIGKILL)

    def make(_: int) -> str:
        with crashing.server.client() as api:
            return api.devboxes.create(launch_parameters=ONCE).id  # type: ignore[arg-type]

    killer = threading.Timer(0, kill)
    killer.start()
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(make, range(10)))
    time.sleep(1)
    done.set()
    killer.join()
    with crashing.server.client() as api:
        ran: list[str] = []
        for devbox_id in made:
            devbox = api.post(
                f"/v1/devboxes/{devbox_id}/wait_for_status",
                body={"statuses": ["running", "failure"]},
                cast_to=DevboxView,
            )
            if devbox.status == "running":
                ran.append(devbox_id)
                assert api.devboxes.read_file_contents(devbox_id, file_path="launched") == "once\n"
            else:
                assert devbox.failure_reason == "health_check_failed", devbox
        crashing.check(running=tuple(ran))
        fresh = api.devboxes.create_and_await_running()
        assert execute(api, fresh.id, "echo well").stdout == "well\n"
