"""A value is nowhere but in the boxes: not in the database, the logs, the answers, or what a snapshot tells."""

import hashlib
import json
import os
import sqlite3
import subprocess
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.commands import loopyard
from tests.integration.devbox.waiting import run, wait_for
from tests.serving import ServerProcess, serving
from tests.slow.blueprint.building import ended, fresh, said, until_said

CANARY = "canary-0f9d3c-of-a-secret"
NEXT = "canary-77aa10-of-its-update"
SETTINGS = {"LOOPYARD_CODE_HOST": "http://127.0.0.1:9"}
DIGEST = 'printf %s "$TOKEN" | sha256sum'
"""What a box prints is kept on the disk: so this, and not the value."""
DIGEST_OF_NEXT = f"{hashlib.sha256(NEXT.encode()).hexdigest()}  -\n"


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    """A server that logs all it can, on which secrets were used in every way."""
    server = ServerProcess(tmp_path_factory.mktemp("leaks") / "data")
    server.options = ["--log-level", "debug"]
    server.start(SETTINGS)
    try:
        yield server
    finally:
        client = server.client()
        for devbox in client.devboxes.list(limit=5000):
            if devbox.status not in ("shutdown", "failure"):
                client.devboxes.shutdown(devbox.id)
        server.stop()


def _rotate(data_dir: Path) -> str:
    done = loopyard("secret", "rotate-key", "--data-dir", str(data_dir))
    done.check_returncode()
    return done.stdout.strip()


def test_values_are_in_no_file_of_the_server_and_in_no_answer(used: ServerProcess) -> None:
    client = used.client()
    client.secrets.create(name="CANARY", value=CANARY)
    client.secrets.update("CANARY", value=NEXT)
    devbox = client.devboxes.create_and_await_running(
        secrets={"TOKEN": "CANARY"}, launch_parameters={"launch_commands": ['test -n "$TOKEN"']}
    )
    assert run(client, devbox.id, 'printf %s "$TOKEN" | wc -c') == f"{len(NEXT)}\n"
    waiting = client.devboxes.execute_async(devbox.id, command=f"until [ -e go ]; do sleep 0.1; done; {DIGEST}")
    snapshot = client.devboxes.snapshot_disk(devbox.id, name="of a box with a secret")
    headers = {"Authorization": f"Bearer {used.api_key}"}
    answers = [
        httpx.post(f"{used.base_url}/v1/secrets", headers=headers, json={"name": "CANARY", "value": CANARY}),
        httpx.post(f"{used.base_url}/v1/secrets", headers=headers, json={"name": 1, "value": CANARY}),
        httpx.post(f"{used.base_url}/v1/secrets", headers=headers, json={"name": "X", "value": [CANARY]}),
        httpx.post(f"{used.base_url}/v1/secrets", headers=headers, content=json.dumps({"value": CANARY})[:-1]),
        httpx.get(f"{used.base_url}/v1/devboxes/{devbox.id}", headers=headers),
        httpx.get(f"{used.base_url}/v1/devboxes/{devbox.id}/logs", headers=headers),
        httpx.get(f"{used.base_url}/v1/devboxes/disk_snapshots", headers=headers),
    ]
    assert [answer.status_code for answer in answers] == [400, 400, 400, 400, 200, 200, 200]
    assert not [answer.text for answer in answers if "canary-" in answer.text]
    assert snapshot.id in answers[-1].text
    assert _rotate(used.data_dir) == "1"
    second = client.devboxes.create_and_await_running(secrets={"TOKEN": "CANARY"})
    assert run(client, second.id, DIGEST) == DIGEST_OF_NEXT
    _looked_through(used)
    used.kill()
    used.start(SETTINGS)
    client = used.client()
    assert client.secrets.retrieve("CANARY").name == "CANARY"
    # What ran is taken up again, with its variables.
    assert run(client, devbox.id, DIGEST) == DIGEST_OF_NEXT
    client.devboxes.write_file_contents(devbox.id, file_path="go", contents="")
    done = client.devboxes.executions.await_completed(waiting.execution_id, devbox_id=devbox.id)
    assert done.stdout == DIGEST_OF_NEXT
    third = client.devboxes.create_and_await_running(secrets={"TOKEN": "CANARY"})
    assert run(client, third.id, DIGEST) == DIGEST_OF_NEXT
    _looked_through(used)
    for one in (devbox, second, third):
        client.devboxes.shutdown(one.id)
        wait_for(client, one.id, "shutdown")
    _looked_through(used)


def test_values_are_in_no_file_while_an_image_is_built(used: ServerProcess) -> None:
    client = used.client()
    client.secrets.create(name="BUILT", value=CANARY)
    look = 'test -n "$TOKEN" && echo begun && sleep 5'
    mounted = "--mount=type=secret,id=TOKEN"
    for step in (look, f"{mounted} test -s /run/secrets/TOKEN && {look}"):
        dockerfile = f"FROM loopyard-base\n{fresh()}RUN {step}\n"
        blueprint = client.blueprints.create(name="leaks", secrets={"TOKEN": "BUILT"}, dockerfile=dockerfile)
        until_said(client, blueprint.id, "begun")
        _looked_through(used)
        images = Path(os.environ["LOOPYARD_RUNTIME__IMAGES"])
        assert not _holders([*images.glob("build-cache.db*"), *images.glob("*.json")])
        layers = (Path(below, name) for below, _, names in os.walk(images / "layers") for name in names)
        assert not _holders(layers)
        assert ended(client, blueprint.id).status == "build_complete", said(client, blueprint.id)
    assert not list(Path("/dev/shm").glob(f"loopyard-0/*/builds/{blueprint.id}"))


def test_tokens_of_repositories_and_passwords_of_registries_are_sealed(used: ServerProcess) -> None:
    client = used.client()
    mount = {"repo_owner": "nobody", "repo_name": "nothing", "token": f"{CANARY}-token"}
    service = {"name": "db", "image": "127.0.0.1:9/db", "credentials": {"username": "u", "password": f"{CANARY}-word"}}
    devbox = client.devboxes.create(code_mounts=[mount])  # type: ignore[list-item]
    blueprint = client.blueprints.create(name="sealed", code_mounts=[mount], services=[service])  # type: ignore[list-item]
    _looked_through(used)
    wait_for(client, devbox.id, "failure")
    assert ended(client, blueprint.id).status == "failed"
    _looked_through(used)
    with sqlite3.connect(used.data_dir / "loopyard.db") as store:
        assert store.execute("SELECT count(*) FROM held_token").fetchone() == (0,)
    store.close()


def _looked_through(server: ServerProcess) -> None:
    """Neither the logs nor the database, its journal among it, nor any other file of the server's own has it."""
    assert "canary-" not in server.log
    files = [path for path in server.data_dir.rglob("*") if path.is_file() and not path.is_symlink()]
    assert {"loopyard.db", "secret-keys", "pool.btrfs", "result.json"} <= {path.name for path in files}
    assert not _holders([*files, *Path("/run/loopyard").rglob("*")])
    assert (server.data_dir / "secret-keys").stat().st_mode & 0o777 == 0o600


def _holders(files: Iterable[Path]) -> list[Path]:
    """The files that have one of the values."""
    return [path for path in files if any(b"canary-" in block for block in _blocks(path))]


def _blocks(path: Path) -> Iterator[bytes]:
    """What a file holds, without the holes in it."""
    if not path.is_file() or path.is_symlink():
        return
    try:
        file = path.open("rb")
    except FileNotFoundError:  # it went meanwhile
        return
    with file:
        end, size = 0, os.fstat(file.fileno()).st_size
        while end < size:
            try:
                begin = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError:  # only a hole is left
                return
            end = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
            yield from (os.pread(file.fileno(), 16 << 20, at) for at in range(begin, end, (16 << 20) - 64))


def test_a_rotation_that_is_killed_loses_nothing(used: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    client = used.client()
    client.secrets.create(name="SURVIVOR", value="still here")
    for place in ("secret.key_added", "secret.sealed_anew"):
        monkeypatch.setenv("LOOPYARD_FAILPOINT", place)
        with pytest.raises(subprocess.CalledProcessError):
            _rotate(used.data_dir)
        monkeypatch.delenv("LOOPYARD_FAILPOINT")
        devbox = client.devboxes.create_and_await_running(secrets={"A": "SURVIVOR"})
        assert run(client, devbox.id, 'printf %s "$A"') == "still here"
        client.devboxes.shutdown(devbox.id)
    _rotate(used.data_dir)
    assert len((used.data_dir / "secret-keys").read_text().split()) == 1
    devbox = client.devboxes.create_and_await_running(secrets={"A": "SURVIVOR"})
    assert run(client, devbox.id, 'printf %s "$A"') == "still here"
    client.devboxes.shutdown(devbox.id)


def test_keys_from_the_environment_leave_no_key_on_the_disk(tmp_path: Path) -> None:
    from loopyard.secret.keys import new_key

    with serving(tmp_path / "data", env={"LOOPYARD_SECRET_KEYS": new_key().text}) as server:
        client = server.client()
        client.secrets.create(name="A", value="x")
        devbox = client.devboxes.create_and_await_running(secrets={"A": "A"})
        assert run(client, devbox.id, 'printf %s "$A"') == "x"
        assert not (tmp_path / "data" / "secret-keys").exists()
