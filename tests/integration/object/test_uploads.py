"""What is hostile, broken or large about uploads and signed URLs."""

import itertools
import os
import shutil
import socket
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from runloop_api_client import Runloop

from loopyard.object.config import MAX_OBJECT_BYTES
from tests.integration.devbox.waiting import wait_until
from tests.serving import ServerProcess, serving

MIB = 1024**2


def _upload_url(client: Runloop) -> tuple[str, str]:
    made = client.objects.create(name="up", content_type="binary")
    assert made.upload_url is not None
    return made.id, made.upload_url


def _with(url: str, **changes: str) -> str:
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()} | changes
    return parts._replace(query=urlencode(query)).geturl()


@pytest.mark.semantic
def test_forged_urls_are_refused(client: Runloop) -> None:
    object_id, upload = _upload_url(client)
    other_id, other = _upload_url(client)
    expires = parse_qs(urlsplit(upload).query)["expires"][0]
    forged = [
        _with(upload, signature="0" * 64),
        _with(upload, signature="é"),
        _with(upload, expires=str(int(expires) + 1)),
        upload.replace(object_id, other_id),
        _with(upload, signature=parse_qs(urlsplit(other).query)["signature"][0]),
    ]
    for url in forged:
        assert httpx.put(url, content=b"x").status_code == 403, url
    bare = upload.partition("?")[0]
    assert httpx.put(bare, content=b"x").status_code == 400
    assert httpx.put(upload, content=b"x").status_code == 200
    client.objects.complete(object_id)
    assert httpx.get(upload).status_code == 403  # the right to upload is none to download
    download = client.objects.download(object_id).download_url
    assert httpx.get(_with(download, expires="99999999999")).status_code == 403
    assert httpx.put(download, content=b"y").status_code == 403
    assert httpx.get(download).content == b"x"


@pytest.mark.semantic
def test_urls_expire(client: Runloop) -> None:
    object_id, upload = _upload_url(client)
    httpx.put(upload, content=b"x").raise_for_status()
    client.objects.complete(object_id)
    url = client.objects.download(object_id, duration_seconds=4).download_url
    assert httpx.get(url).status_code == 200
    wait_until(lambda: httpx.get(url).status_code == 403, lambda: "it is good for ever", seconds=20)
    assert "expired" in httpx.get(url).json()["message"]


@pytest.mark.semantic
def test_contents_are_given_as_downloads_not_as_pages(client: Runloop) -> None:
    made = client.objects.create(name='a "page".html\n', content_type="text")
    assert made.upload_url is not None
    httpx.put(made.upload_url, content=b"<script>").raise_for_status()
    client.objects.complete(made.id)
    answer = httpx.get(client.objects.download(made.id).download_url)
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_upload_that_is_cut_off_leaves_nothing(client: Runloop, server: ServerProcess) -> None:
    object_id, upload = _upload_url(client)
    parts = urlsplit(upload)
    assert parts.port is not None
    with socket.create_connection(("127.0.0.1", parts.port)) as connection:
        head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: x\r\nContent-Length: {8 * MIB}\r\n\r\n"
        connection.sendall(head.encode() + bytes(4 * MIB))
        incoming = server.data_dir / "objects" / "incoming"
        wait_until(lambda: any(incoming.glob(f"{object_id}*")), lambda: "nothing has come")
    wait_until(lambda: not any(incoming.glob(f"{object_id}*")), lambda: "a part is left")
    assert not list((server.data_dir / "objects").glob(f"*/{object_id}*"))
    httpx.put(upload, content=b"whole").raise_for_status()
    assert client.objects.complete(object_id).size_bytes == 5


def test_a_server_that_is_killed_while_it_receives_shows_nothing_half(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        object_id, _ = _upload_url(server.client())
        server.stop()
        server.start(env={"LOOPYARD_FAILPOINT": "object.received"})
        upload = _upload_url(server.client())[1]
        with pytest.raises(httpx.HTTPError):
            httpx.put(upload, content=bytes(MIB))
        server.wait_dead()
        assert list((tmp_path / "data" / "objects" / "incoming").iterdir())
        server.start()
        assert server.client().objects.retrieve(object_id).state == "UPLOADING"
        assert not list((tmp_path / "data" / "objects").glob("*/*"))


def test_what_is_too_large_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with serving(tmp_path / "data", env={"LOOPYARD_OBJECTS__MAX_BYTES": str(MIB)}) as server:
        client = server.client()
        upload = _upload_url(client)[1]

        def streamed():  # noqa: ANN202
            for _ in range(4):
                yield bytes(MIB)

        for content in (bytes(MIB + 1), streamed()):
            try:
                assert httpx.put(upload, content=content).status_code == 413
            except httpx.WriteError:
                continue  # it has hung up before all was sent
        wait_until(lambda: not list((tmp_path / "data" / "objects").glob("*/*")), lambda: "a part is left")
        assert httpx.put(upload, content=bytes(MIB)).status_code == 200


def test_urls_name_the_host_that_the_caller_used_or_the_proxys_if_it_is_trusted(tmp_path: Path) -> None:
    body = {"name": "x", "content_type": "text"}
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "out.test", "X-Forwarded-Prefix": "/runloop"}

    def url(server: ServerProcess, **headers: str) -> str:
        headers = {"Authorization": f"Bearer {server.api_key}", **headers}
        return httpx.post(f"{server.base_url}/v1/objects", json=body, headers=headers).json()["upload_url"]

    with serving(tmp_path / "data") as server:
        assert url(server, Host="box.test:81").startswith("http://box.test:81/object-content/obj_")
        assert url(server, Host="box.test", **{"X-Forwarded-Host": "out.test"}).startswith("http://box.test/")
        refused = httpx.post(
            f"{server.base_url}/v1/objects",
            json=body,
            headers={"Authorization": f"Bearer {server.api_key}", "Host": "a b<c>"},
        )
        assert refused.status_code == 400
        server.stop()
        server.start(env={"LOOPYARD_OBJECTS__TRUST_FORWARDED": "true"})
        assert url(server, **forwarded).startswith("https://out.test/runloop/object-content/obj_")
        server.stop()
        server.start(env={"LOOPYARD_OBJECTS__PUBLIC_URL": "https://there.test/"})
        assert url(server, **forwarded).startswith("https://there.test/object-content/obj_")


def _peak_bytes(pid: int) -> int:
    """The most memory that a process has had at once since `_forget_peak`."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


def _forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def test_the_largest_object_goes_up_and_down_in_constant_memory(client: Runloop, server: ServerProcess) -> None:
    free = shutil.disk_usage(server.data_dir).free
    if free < 2 * MAX_OBJECT_BYTES:
        pytest.skip(f"{free >> 30} GiB of disk are free; the object takes 5, and the rest is for others")
    object_id, upload = _upload_url(client)
    _forget_peak(server.pid)
    before = _peak_bytes(server.pid)
    block = os.urandom(MIB)
    try:
        content = itertools.repeat(block, MAX_OBJECT_BYTES // MIB)
        httpx.put(upload, content=content, timeout=300).raise_for_status()
        assert client.objects.complete(object_id).size_bytes == MAX_OBJECT_BYTES
        uploaded = _peak_bytes(server.pid) - before
        _forget_peak(server.pid)
        received = 0
        with httpx.stream("GET", client.objects.download(object_id).download_url, timeout=300) as answer:
            for chunk in answer.iter_raw(MIB):
                received += len(chunk)
        downloaded = _peak_bytes(server.pid) - before
    finally:
        client.objects.delete(object_id)
    assert received == MAX_OBJECT_BYTES
    assert max(uploaded, downloaded) < 64 * MIB, f"{uploaded / MIB:.0f} MiB up, {downloaded / MIB:.0f} MiB down"
