"""Snapshots on a host that cannot take them."""

from runloop_api_client import Runloop

from loopyard.runtime.errors import SnapshotFailed
from tests.integration.devbox.waiting import POLL, run, wait_until
from tests.unit.in_process.server import InProcessServer


def test_a_snapshot_that_fails_says_so_and_the_next_one_is_taken(own_server: InProcessServer, own: Runloop) -> None:
    devbox = own.devboxes.create_and_await_running(polling_config=POLL)
    run(own, devbox.id, "echo kept > file")
    own_server.host.refusals["snapshot"] = [SnapshotFailed("no room")]
    failed = own.devboxes.snapshot_disk_async(devbox.id, name="failing")
    status = own.devboxes.disk_snapshots.query_status(failed.id)
    wait_until(lambda: own.devboxes.disk_snapshots.query_status(failed.id).status != "in_progress", lambda: str(status))
    told = own.devboxes.disk_snapshots.query_status(failed.id)
    assert (told.status, own_server.host.snapshots) == ("error", {})
    assert told.error_message is not None
    taken = own.devboxes.snapshot_disk(devbox.id)
    assert set(own_server.host.snapshots) == {taken.id}
    copy = own.devboxes.create_and_await_running(snapshot_id=taken.id, polling_config=POLL)
    assert run(own, copy.id, "cat file") == "kept\n"


def test_a_deleted_snapshot_leaves_the_host(own_server: InProcessServer, own: Runloop) -> None:
    devbox = own.devboxes.create_and_await_running(polling_config=POLL)
    taken = own.devboxes.snapshot_disk(devbox.id)
    own.devboxes.disk_snapshots.delete(taken.id)
    wait_until(lambda: taken.id not in own_server.host.snapshots, lambda: str(own_server.host.snapshots))
