"""Objects in a bucket of a real server that speaks S3 (moto's)."""

import re
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest
from runloop_api_client import APIStatusError, ConflictError, RunloopSDK

from loopyard.kit.ids import new_id
from tests.integration.devbox.waiting import run, wait_until
from tests.serving import ServerProcess, serving

BUCKET = "loopyard-test"
MOST_BYTES = 100_000_000


@pytest.fixture(scope="module")
def s3() -> Generator[str]:
    """The URL of an S3 with one bucket."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                httpx.put(f"{url}/{BUCKET}").raise_for_status()
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline, "moto does not answer"
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def bucket_server(s3: str, tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    prefix = "LOOPYARD_OBJECTS__S3__"
    env = {
        f"{prefix}BUCKET": BUCKET,
        f"{prefix}PREFIX": "loopyard",
        f"{prefix}ENDPOINT": s3,
        f"{prefix}ACCESS_KEY_ID": "test",
        f"{prefix}SECRET_ACCESS_KEY": "test-secret",
        "LOOPYARD_OBJECTS__MAX_BYTES": str(MOST_BYTES),
    }
    with serving(tmp_path_factory.mktemp("s3") / "data", env=env) as server:
        yield server


def _keys(s3: str) -> set[str]:
    return set(re.findall(r"<Key>([^<]+)</Key>", httpx.get(f"{s3}/{BUCKET}?list-type=2").text))


def test_an_object_lives_in_the_bucket(bucket_server: ServerProcess, s3: str, tmp_path: Path) -> None:
    sdk = RunloopSDK(bearer_token=bucket_server.api_key, base_url=bucket_server.base_url)
    stored = sdk.storage_object.create(name="in s3", content_type="text")
    assert stored.upload_url is not None
    assert stored.upload_url.startswith(f"{s3}/{BUCKET}/loopyard/uploads/{stored.id}?X-Amz-")
    upload_url = stored.upload_url
    with pytest.raises(ConflictError, match="Nothing was uploaded"):
        sdk.api.objects.complete(stored.id)
    stored.upload_content("in the bucket")
    assert stored.complete().size_bytes == 13
    assert _keys(s3) == {f"loopyard/objects/{stored.id}"}
    httpx.put(upload_url, content=b"late")  # S3 takes it until the URL expires, but nobody sees it
    assert stored.download_as_text() == "in the bucket"
    assert sdk.api.objects.download(stored.id).download_url.startswith(s3)
    client = bucket_server.client()
    devbox = client.devboxes.create_and_await_running(
        mounts=[{"type": "object_mount", "object_id": stored.id, "object_path": "/home/user/mounted"}]
    )
    assert run(client, devbox.id, "cat mounted") == "in the bucket"
    stored.delete()
    wait_until(lambda: _keys(s3) == set(), lambda: f"{_keys(s3)} are left")
    assert not (bucket_server.data_dir / "objects").exists()
    assert "test-secret" not in bucket_server.log


def test_what_is_larger_than_an_object_may_be_is_not_completed(bucket_server: ServerProcess, s3: str) -> None:
    with bucket_server.client() as client:
        made = client.objects.create(name="large", content_type="binary")
        httpx.put(made.upload_url or "", content=b"x" * (MOST_BYTES + 1), timeout=60).raise_for_status()
        with pytest.raises(APIStatusError) as refused:
            client.objects.complete(made.id)
        assert refused.value.status_code == 413
        assert not [key for key in _keys(s3) if made.id in key]
        httpx.put(made.upload_url or "", content=b"small").raise_for_status()
        assert client.objects.complete(made.id).size_bytes == 5


def test_leftovers_in_a_bucket_are_freed_but_what_others_may_have_there_is_not(
    bucket_server: ServerProcess, s3: str
) -> None:
    with bucket_server.client() as client:
        made = client.objects.create(name="late", content_type="text")
        client.objects.delete(made.id)
        wait_until(lambda: _reclaimed(bucket_server, made.id), lambda: "it is not freed")
        httpx.put(made.upload_url or "", content=b"too late").raise_for_status()
    foreign = new_id("obj")
    httpx.put(f"{s3}/{BUCKET}/loopyard/objects/{foreign}", content=b"another server's").raise_for_status()
    command = [sys.executable, "-m", "loopyard", "gc", "--data-dir", str(bucket_server.data_dir)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    keys = _keys(s3)
    assert not [key for key in keys if made.id in key]
    assert f"loopyard/objects/{foreign}" in keys


def _reclaimed(server: ServerProcess, object_id: str) -> bool:
    with sqlite3.connect(server.data_dir / "loopyard.db") as store:
        row = store.execute("SELECT reclaimed FROM object WHERE id = ?", (object_id,)).fetchone()
    store.close()
    return bool(row[0])
