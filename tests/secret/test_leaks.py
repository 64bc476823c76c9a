"""A value is nowhere but in the boxes: not in the database, the logs, the answers, or what a snapshot tells."""

import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from tests.devbox.waiting import run, wait_for
from tests.serving import ServerProcess, serving

CANARY = "canary-0f9d3c-of-a-secret"
NEXT = "canary-77aa10-of-its-update"


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    """A server that logs all it can, on which secrets were used in every way."""
    server = ServerProcess(tmp_path_factory.mktemp("leaks") / "data")
    server.options = ["--log-level", "debug"]
    server.start()
    try:
        yield server
    finally:
        client = server.client()
        for devbox in client.devboxes.list(limit=5000):
            if devbox.status not in ("shutdown", "failure"):
                client.devboxes.shutdown(devbox.id)
        server.stop()


def _rotate(data_dir: Path) -> str:
    command = [sys.executable, "-m", "loopyard", "secret", "rotate-key", "--data-dir", str(data_dir)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_values_are_in_no_file_of_the_server_and_in_no_answer(used: ServerProcess) -> None:
    client = used.client()
    client.secrets.create(name="CANARY", value=CANARY)
    client.secrets.update("CANARY", value=NEXT)
    devbox = client.devboxes.create_and_await_running(
        secrets={"TOKEN": "CANARY"}, launch_parameters={"launch_commands": ['test -n "$TOKEN"']}
    )
    assert run(client, devbox.id, 'printf %s "$TOKEN" | wc -c') == f"{len(NEXT)}\n"
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
    assert run(client, second.id, 'printf %s "$TOKEN"') == NEXT
    _looked_through(used)
    used.kill()
    used.start()
    client = used.client()
    assert client.secrets.retrieve("CANARY").name == "CANARY"
    third = client.devboxes.create_and_await_running(secrets={"TOKEN": "CANARY"})
    assert run(client, third.id, 'printf %s "$TOKEN"') == NEXT
    for one in (devbox, second, third):
        client.devboxes.shutdown(one.id)
        wait_for(client, one.id, "shutdown")
    _looked_through(used)


def _looked_through(server: ServerProcess) -> None:
    """Neither the logs nor the database, its journal among it, nor any other file of the server's own has it."""
    assert "canary-" not in server.log
    files = [path for path in server.data_dir.iterdir() if path.is_file() and not path.name.startswith("pool")]
    assert {"loopyard.db", "secret-keys"} <= {path.name for path in files}
    for path in files:
        assert b"canary-" not in path.read_bytes(), path
    assert (server.data_dir / "secret-keys").stat().st_mode & 0o777 == 0o600


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
