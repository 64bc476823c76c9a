"""What nothing refers to is freed, what is in use never, by a server that runs and where none does."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from runloop_api_client import Runloop

from loopyard.kit.ids import new_id
from tests.commands import loopyard
from tests.integration.devbox.waiting import run
from tests.serving import ServerProcess
from tests.slow.blueprint.building import build, complete, fresh, output, said
from tests.slow.blueprint.images import busybox_archive, import_image

BUSYBOX = "busybox:upkeep"


@pytest.fixture(scope="module")
def own_images(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Generator[Path]:
    """A folder of images that no other server uses, with the base image and a busybox."""
    folder = tmp_path_factory.mktemp("upkeep-images")
    base = (images / "base").resolve()
    subprocess.run(["cp", "--archive", "--link", str(base), str(folder)], check=True)
    before = os.environ["LOOPYARD_RUNTIME__IMAGES"]
    os.environ["LOOPYARD_RUNTIME__IMAGES"] = str(folder)
    archive = busybox_archive(tmp_path_factory.mktemp("upkeep-busybox"))
    import_image(Path(sys.executable).with_name("loopyard"), archive, BUSYBOX)
    yield folder
    os.environ["LOOPYARD_RUNTIME__IMAGES"] = before


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory, own_images: Path) -> Generator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("upkeep") / "data").start()
    assert (own_images / "servers").is_dir()
    try:
        yield server
    finally:
        if not server.alive:
            server.start()
        with server.client() as client:
            for devbox in client.devboxes.list():
                if devbox.status not in ("shutdown", "failure"):
                    client.devboxes.shutdown(devbox.id)
        server.stop()


def command(server: ServerProcess, *arguments: str) -> Any:
    """What a command of ours prints in JSON."""
    done = loopyard(*arguments, "--json", "--data-dir", str(server.data_dir))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def leftovers(server: ServerProcess, *options: str) -> set[tuple[str, str]]:
    return {(one["kind"], one["name"]) for one in command(server, "gc", *options)["leftovers"]}


def change(server: ServerProcess, statement: str, *values: object) -> None:
    """Change rows as a crash at an unlucky moment would leave them."""
    with sqlite3.connect(server.data_dir / "loopyard.db", timeout=30) as store:
        store.execute(statement, values)
    store.close()


def block_of(server: ServerProcess) -> Path:
    """The server's folder below /run."""
    owners = Path("/run/loopyard").glob("*/owner.json")
    return next(file.parent for file in owners if json.loads(file.read_text()) == str(server.data_dir))


def plant(server: ServerProcess) -> set[tuple[str, str]]:
    """Leave on the host what killed servers may."""
    object_id, blueprint_id, devbox_id = new_id("obj"), new_id("bpt"), new_id("dbx")
    (server.data_dir / "objects" / "final" / object_id).write_bytes(b"nobody's")
    (server.data_dir / "build-logs").mkdir(exist_ok=True)
    (server.data_dir / "build-logs" / f"{blueprint_id}.jsonl").write_text("")
    (server.data_dir / "build-contexts" / blueprint_id / "context").mkdir(parents=True)
    own = block_of(server)
    (own / "roots" / devbox_id).mkdir(parents=True)
    memory = Path("/sys/fs/cgroup/memory")
    cgroup = (memory if memory.is_dir() else memory.parent) / "loopyard" / own.name / devbox_id
    cgroup.mkdir(parents=True)
    return {
        ("objects", object_id),
        ("builds", f"log {blueprint_id}"),
        ("builds", f"context {blueprint_id}"),
        ("boxes", devbox_id),
    }


def keep(client: Runloop, name: str) -> str:
    """Store four bytes; returns the object's id."""
    made = client.objects.create(name=name, content_type="text")
    httpx.put(made.upload_url or "", content=b"kept").raise_for_status()
    client.objects.complete(made.id)
    return made.id


def running(server: ServerProcess) -> None:
    """Start it if a test before has stopped it."""
    if not server.alive:
        server.start()


def test_what_is_left_over_is_freed_and_what_is_in_use_is_not(keeping: ServerProcess, own_images: Path) -> None:
    running(keeping)
    with keeping.client() as client:
        _look_and_free(client, keeping, own_images)


def _look_and_free(client: Runloop, keeping: ServerProcess, own_images: Path) -> None:
    kept = complete(client, "kept", dockerfile=f"FROM {BUSYBOX}\nRUN echo kept > /kept\n")
    gone = complete(client, "gone", dockerfile=f"FROM {BUSYBOX}\nRUN echo gone > /gone\n")
    assert build(client, dockerfile=f"FROM {BUSYBOX}\n{fresh()}RUN false\n").status == "failed"
    box = client.devboxes.create_and_await_running(blueprint_id=gone.id)
    snapshots = [client.devboxes.snapshot_disk(box.id, name=name) for name in ("kept", "lost")]
    kept_object = keep(client, "kept")
    root = (own_images / gone.id).resolve()
    client.blueprints.delete(gone.id)

    expected = plant(keeping)
    change(keeping, "UPDATE snapshot SET status = 'deleted', reclaimed = 1 WHERE id = ?", snapshots[1].id)
    change(keeping, "UPDATE idempotency_key SET create_time_ms = 1")
    expected |= {("snapshots", snapshots[1].id), ("requests", "of more than a day ago")}
    seen = leftovers(keeping, "--dry-run")
    deadline = time.monotonic() + 120
    while "layers" not in {kind for kind, _ in seen}:  # of the build that failed
        # Its process may be letting go of the storage just now.
        assert time.monotonic() < deadline, seen
        time.sleep(0.2)
        seen = leftovers(keeping, "--dry-run")
    assert expected <= seen
    assert {kind for kind, _ in seen - expected} <= {"layers", "boxes"}  # others' servers that are gone are "boxes"
    assert expected <= leftovers(keeping)
    assert {one for one in leftovers(keeping) if not one[1].startswith("server ")} == set()
    assert not list(block_of(keeping).glob("roots/*"))

    assert root.is_dir()  # a devbox and a snapshot stand on it
    assert run(client, box.id, "cat /gone") == "gone\n"
    assert output(client, "cat /gone", snapshot_id=snapshots[0].id) == "gone\n"
    assert output(client, "cat /kept", blueprint_id=kept.id) == "kept\n"
    assert httpx.get(client.objects.download(kept_object).download_url).text == "kept"
    again = complete(client, "kept", dockerfile=f"FROM {BUSYBOX}\nRUN echo kept > /kept\n")
    assert "Using cache" in said(client, again.id)

    client.devboxes.shutdown(box.id)
    client.devboxes.disk_snapshots.delete(snapshots[0].id)
    until(lambda: ("images", root.name) in leftovers(keeping))
    assert not root.exists()


def until(holds: Any) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_nothing_is_lost_while_devboxes_and_images_are_made(keeping: ServerProcess) -> None:
    running(keeping)
    stop = threading.Event()

    def sweep() -> None:
        while not stop.is_set():
            leftovers(keeping)

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        with keeping.client() as client:
            for number in range(3):
                blueprint = complete(client, dockerfile=f"FROM {BUSYBOX}\n{fresh()}RUN echo {number} > /number\n")
                box = client.devboxes.create_and_await_running(blueprint_id=blueprint.id)
                snapshot = client.devboxes.snapshot_disk(box.id)
                client.blueprints.delete(blueprint.id)
                assert output(client, "cat /number", snapshot_id=snapshot.id) == f"{number}\n"
                assert run(client, box.id, "cat /number") == f"{number}\n"
                client.devboxes.disk_snapshots.delete(snapshot.id)
                client.devboxes.shutdown(box.id)
    finally:
        stop.set()
        sweeper.join()


def nothing_is_left(server: ServerProcess) -> bool:
    """Whether nothing would be freed; what servers of other tests left may be there, and is called by their names."""
    return all(name.startswith("server ") for _, name in leftovers(server, "--dry-run"))


def test_status_tells_what_takes_how_much_and_gc_works_without_a_server(keeping: ServerProcess) -> None:
    running(keeping)
    before = command(keeping, "status")
    with keeping.client() as client:
        keep(client, "told")
    status = command(keeping, "status")
    assert status["server_pid"] == keeping.pid
    kinds = {"images", "layers", "snapshots", "boxes", "shared", "objects", "logs", "axons", "recordings", "database"}
    assert set(status["disk_bytes"]) == kinds
    assert status["disk_bytes"]["images"] + status["disk_bytes"]["layers"] > 100 << 20
    for kind in ("images", "layers"):
        assert status["shared"][kind]["apparent_bytes"] >= status["shared"][kind]["disk_bytes"] > 0
    assert set(status["shared"]) == {"images", "layers", "snapshots", "boxes"}
    assert status["disk_bytes"]["objects"] >= before["disk_bytes"]["objects"] + 4
    assert status["counts"]["objects"]["READ_ONLY"] == before["counts"]["objects"].get("READ_ONLY", 0) + 1
    assert keeping.stop() == 0
    assert command(keeping, "status")["server_pid"] is None
    expected = plant(keeping)
    assert expected <= leftovers(keeping)
    until(lambda: nothing_is_left(keeping))


def test_status_tells_what_snapshots_share(keeping: ServerProcess) -> None:
    running(keeping)
    size = 8 << 20
    with keeping.client() as client:
        box = client.devboxes.create_and_await_running()
        command_line = f"head -c {size} /dev/urandom > ~/large && sync ~/large"
        assert client.devboxes.execute_and_await_completion(box.id, command=command_line).exit_status == 0
        before = command(keeping, "status")["shared"]
        snapshots = [client.devboxes.snapshot_disk(box.id).id for _ in range(3)]
        after = command(keeping, "status")["shared"]
        for snapshot in snapshots:
            client.devboxes.disk_snapshots.delete(snapshot)
        client.devboxes.shutdown(box.id)
    grown = {
        field: after["snapshots"][field] - before["snapshots"][field] for field in ("apparent_bytes", "disk_bytes")
    }
    assert grown["apparent_bytes"] >= 3 * size
    assert size <= grown["disk_bytes"] < 2 * size
    # The box has nothing of its own any more: what it shares counts for the snapshots.
    assert before["boxes"]["disk_bytes"] - after["boxes"]["disk_bytes"] >= size


def test_a_server_sweeps_by_itself(keeping: ServerProcess) -> None:
    if keeping.alive:
        keeping.stop()
    keeping.start({"LOOPYARD_UPKEEP__SWEEP_SECONDS": "0.5"})
    with keeping.client() as client:
        kept = complete(client, dockerfile=f"FROM {BUSYBOX}\nRUN echo kept > /kept\n")
    orphan = keeping.data_dir / "objects" / "final" / new_id("obj")
    orphan.write_bytes(b"nobody's")
    until(lambda: not orphan.exists())
    with keeping.client() as client:
        assert output(client, "cat /kept", blueprint_id=kept.id) == "kept\n"


def test_there_is_nothing_to_tell_of_a_folder_that_is_not_there(tmp_path: Path) -> None:
    for name in ("gc", "status"):
        done = loopyard(name, "--data-dir", str(tmp_path / "nothing"))
        assert done.returncode == 1
        assert "No such file" in done.stderr
    assert not (tmp_path / "nothing").exists()
