"""Objects in a bucket of a real server that speaks S3 (moto's)."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest
from runloop_api_client import ConflictError, RunloopSDK

from tests.devbox.waiting import run, wait_until
from tests.serving import ServerProcess, serving

BUCKET = "loopyard-test"


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
