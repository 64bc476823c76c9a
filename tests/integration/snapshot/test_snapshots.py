"""Snapshots through the official client: taking, finding, changing, deleting, and making devboxes from them."""

import time
from collections.abc import Generator

import pytest
from runloop_api_client import APIStatusError, BadRequestError, ConflictError, NotFoundError, Runloop

from tests.integration.devbox.waiting import POLL, run, wait_for, wait_until
from tests.serving import ServerProcess


@pytest.fixture(scope="module")
def source(server: ServerProcess) -> Generator[str]:
    """A running devbox to take snapshots of."""
    with server.client() as client:
        devbox = client.devboxes.create_and_await_running()
        yield devbox.id
        client.devboxes.shutdown(devbox.id)


@pytest.mark.semantic
def test_a_devbox_from_a_snapshot_has_the_disk_of_that_moment(client: Runloop) -> None:
    source = client.devboxes.create_and_await_running()
    run(client, source.id, "echo then > file; ln file link; sudo rm /etc/motd; mkdir -p a/b; chmod 700 a")
    snapshot = client.devboxes.snapshot_disk(source.id, name="one", commit_message="all of it", metadata={"a": "b"})
    assert (snapshot.name, snapshot.commit_message, snapshot.metadata) == ("one", "all of it", {"a": "b"})
    assert snapshot.source_devbox_id == source.id
    assert snapshot.size_bytes is not None
    run(client, source.id, "echo later > file")
    client.devboxes.shutdown(source.id)
    devbox = client.devboxes.create_and_await_running(
        snapshot_id=snapshot.id, launch_parameters={"launch_commands": ["cat file > seen"]}
    )
    assert devbox.snapshot_id == snapshot.id
    shown = run(client, devbox.id, "cat seen; stat -c '%h %U %a' link; stat -c '%U %a' a; ls /etc/motd 2>&1 || true")
    assert shown.splitlines()[:3] == ["then", "2 user 644", "user 700"]
    assert "No such file" in shown
    client.devboxes.shutdown(devbox.id)
    client.devboxes.disk_snapshots.delete(snapshot.id)


@pytest.mark.semantic
def test_a_snapshot_in_the_background(client: Runloop, source: str) -> None:
    made = client.devboxes.snapshot_disk_async(source, name="later")
    status = client.devboxes.disk_snapshots.await_completed(made.id, polling_config=POLL)
    assert status.status == "complete"
    assert status.snapshot is not None
    assert (status.snapshot.id, status.snapshot.name) == (made.id, "later")
    client.devboxes.delete_disk_snapshot(made.id)
    assert client.devboxes.disk_snapshots.query_status(made.id).status == "deleted"


@pytest.mark.semantic
def test_a_retried_call_takes_one_snapshot(client: Runloop, source: str) -> None:
    first = client.devboxes.snapshot_disk(source, idempotency_key="one-snapshot")
    assert client.devboxes.snapshot_disk(source, idempotency_key="one-snapshot") == first
    client.devboxes.disk_snapshots.delete(first.id)


@pytest.mark.semantic
def test_lists_are_paged_and_filtered(client: Runloop, source: str) -> None:
    kept = {
        key: client.devboxes.snapshot_disk(source, name=key, metadata=metadata).id
        for key, metadata in {
            "plain": {},
            "red": {"key": "red", "team": "a"},
            "blue": {"key": "blue", "team": "a"},
            "odd": {"key": 'it\'s, "odd"', "a.b[c]": "%"},
        }.items()
    }

    def found(**query: str) -> set[str]:
        page = client.devboxes.list_disk_snapshots(devbox_id=source, extra_query=query)
        assert page.total_count == len(page.snapshots)
        return {snapshot.name or "" for snapshot in page.snapshots}

    assert found() == {"plain", "red", "blue", "odd"}
    assert {snapshot.name for snapshot in client.devboxes.list_disk_snapshots(metadata_key="red").snapshots} == {"red"}
    assert found(**{"metadata[key][in]": "red,blue,green"}) == {"red", "blue"}
    assert found(**{"metadata[team]": "a"}) == {"red", "blue"}
    assert found(**{"metadata[team]": "a", "metadata[key]": "blue"}) == {"blue"}
    assert found(**{"metadata[key]": 'it\'s, "odd"'}) == {"odd"}
    assert found(**{"metadata[a.b[c]]": "%"}) == {"odd"}
    assert found(**{"metadata[a.b[c]]": "x"}) == set()
    assert client.devboxes.list_disk_snapshots(devbox_id="dbx_nope").snapshots == []
    assert client.devboxes.list_disk_snapshots(source_blueprint_id="bpt_nope").snapshots == []
    pages = [snapshot.id for snapshot in client.devboxes.disk_snapshots.list(devbox_id=source, limit=1)]
    assert pages == list(reversed(kept.values()))
    for snapshot_id in kept.values():
        client.devboxes.disk_snapshots.delete(snapshot_id)
    assert found() == set()


@pytest.mark.semantic
def test_update_changes_what_is_given_and_all_of_the_metadata(client: Runloop, source: str) -> None:
    snapshot = client.devboxes.snapshot_disk(source, name="before", metadata={"a": "1", "b": "2"})
    changed = client.devboxes.disk_snapshots.update(snapshot.id, metadata={"c": "3"}, commit_message="why")
    assert (changed.name, changed.metadata, changed.commit_message) == ("before", {"c": "3"}, "why")
    assert client.devboxes.disk_snapshots.update(snapshot.id, name="after").metadata == {"c": "3"}
    listed = client.devboxes.list_disk_snapshots(extra_query={"metadata[c]": "3"}).snapshots
    assert [one.name for one in listed] == ["after"]
    assert client.devboxes.list_disk_snapshots(extra_query={"metadata[a]": "1"}).snapshots == []
    client.devboxes.disk_snapshots.delete(snapshot.id)


@pytest.mark.semantic
def test_devboxes_keep_what_they_have_when_their_snapshot_is_deleted(client: Runloop) -> None:
    source = client.devboxes.create_and_await_running()
    run(client, source.id, "echo below > below")
    snapshot = client.devboxes.snapshot_disk(source.id)
    client.devboxes.shutdown(source.id)
    running = client.devboxes.create_and_await_running(snapshot_id=snapshot.id)
    asked = client.devboxes.create(snapshot_id=snapshot.id)
    client.devboxes.disk_snapshots.delete(snapshot.id)
    client.devboxes.disk_snapshots.delete(snapshot.id)
    with pytest.raises(NotFoundError):
        client.devboxes.create(snapshot_id=snapshot.id)
    wait_for(client, asked.id, "running")
    time.sleep(1.5)
    client.devboxes.suspend(running.id)
    client.devboxes.await_suspended(running.id, polling_config=POLL)
    client.devboxes.resume(running.id)
    client.devboxes.await_running(running.id, polling_config=POLL)
    again = client.devboxes.snapshot_disk(running.id)
    grandchild = client.devboxes.create_and_await_running(snapshot_id=again.id)
    for devbox_id in (running.id, asked.id, grandchild.id):
        assert run(client, devbox_id, "cat below") == "below\n"
        client.devboxes.shutdown(devbox_id)
    client.devboxes.disk_snapshots.delete(again.id)


@pytest.mark.semantic
def test_a_suspended_devbox_can_be_kept_too(client: Runloop) -> None:
    source = client.devboxes.create_and_await_running()
    run(client, source.id, "echo asleep > file")
    client.devboxes.suspend(source.id)
    client.devboxes.await_suspended(source.id, polling_config=POLL)
    snapshot = client.devboxes.snapshot_disk(source.id)
    devbox = client.devboxes.create_and_await_running(snapshot_id=snapshot.id)
    assert run(client, devbox.id, "cat file") == "asleep\n"
    for devbox_id in (source.id, devbox.id):
        client.devboxes.shutdown(devbox_id)
    client.devboxes.disk_snapshots.delete(snapshot.id)


def test_shutdown_waits_for_a_snapshot_unless_it_is_forced(client: Runloop) -> None:
    impatient = client.with_options(max_retries=0)
    refusals: list[ConflictError] = []
    for _ in range(10):
        source = client.devboxes.create_and_await_running()
        snapshot = client.devboxes.snapshot_disk_async(source.id)
        try:
            impatient.devboxes.shutdown(source.id)
        except ConflictError as error:
            refusals.append(error)
        else:
            assert client.devboxes.disk_snapshots.query_status(snapshot.id).status == "complete"
        assert client.devboxes.shutdown(source.id, force="true").status == "shutdown"
        wait_until(
            lambda: client.devboxes.disk_snapshots.query_status(snapshot.id).status != "in_progress",  # noqa: B023
            lambda: "the snapshot hangs",
        )
        client.devboxes.disk_snapshots.delete(snapshot.id)
    assert refusals
    for refusal in refusals:
        assert refusal.body["code"] == "busy"  # type: ignore[index, call-overload]
        assert "snapshot" in refusal.body["message"]  # type: ignore[index, call-overload]


@pytest.mark.semantic
def test_what_is_not_there_is_not_found(client: Runloop, source: str) -> None:
    with pytest.raises(NotFoundError):
        client.devboxes.snapshot_disk("dbx_nope")
    with pytest.raises(NotFoundError):
        client.devboxes.disk_snapshots.query_status("snp_nope")
    with pytest.raises(NotFoundError):
        client.devboxes.disk_snapshots.delete("snp_nope")
    with pytest.raises(NotFoundError):
        client.devboxes.disk_snapshots.update("snp_nope", name="x")
    with pytest.raises(NotFoundError) as error:
        client.devboxes.create(snapshot_id="snp_nope")
    assert error.value.body["field"] == "snapshot_id"  # type: ignore[index, call-overload]
    deleted = client.devboxes.snapshot_disk(source)
    client.devboxes.disk_snapshots.delete(deleted.id)
    with pytest.raises(NotFoundError):
        client.devboxes.disk_snapshots.update(deleted.id, name="x")


@pytest.mark.semantic
def test_an_ended_devbox_has_no_disk_to_keep(client: Runloop) -> None:
    devbox = client.devboxes.create()
    client.devboxes.shutdown(devbox.id)
    with pytest.raises(ConflictError):
        client.devboxes.snapshot_disk(devbox.id)


@pytest.mark.semantic
def test_bad_input_is_refused(client: Runloop, source: str) -> None:
    with pytest.raises(BadRequestError) as error:
        client.devboxes.snapshot_disk(source, commit_message="x" * 1001)
    assert error.value.body["field"] == "commit_message"  # type: ignore[index, call-overload]
    with pytest.raises(BadRequestError):
        client.devboxes.list_disk_snapshots(starting_after="dbx_01k")
    with pytest.raises(BadRequestError):
        client.devboxes.list_disk_snapshots(extra_query={f"metadata[{n}]": "x" for n in range(21)})
    with pytest.raises(APIStatusError) as error:
        client.devboxes.create(snapshot_id="snp_x", blueprint_name="y")
    assert error.value.status_code == 400
