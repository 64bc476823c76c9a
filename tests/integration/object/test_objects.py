"""Objects through the official client: its own calls, and the helpers of its SDK."""

import tarfile
import time
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from runloop_api_client import BadRequestError, ConflictError, NotFoundError, Runloop, RunloopSDK

from tests.integration.devbox.waiting import wait_until
from tests.serving import ServerProcess


@pytest.fixture
def sdk(server: ServerProcess) -> RunloopSDK:
    return RunloopSDK(bearer_token=server.api_key, base_url=server.base_url)


def _contents(server: ServerProcess, object_id: str) -> list[Path]:
    return list((server.data_dir / "objects").glob(f"*/{object_id}*"))


@pytest.mark.semantic
def test_a_file_goes_up_and_comes_down_again(sdk: RunloopSDK, tmp_path: Path) -> None:
    data = bytes(range(256)) * 40_000
    (tmp_path / "data.txt").write_bytes(data)
    stored = sdk.storage_object.upload_from_file(tmp_path / "data.txt", metadata={"a": "b"})
    view = stored.refresh()
    assert (view.name, view.content_type, view.state, view.size_bytes) == ("data.txt", "text", "READ_ONLY", len(data))
    assert (view.metadata, view.upload_url, view.delete_after_time_ms) == ({"a": "b"}, None, None)
    assert stored.download_as_bytes() == data
    assert stored.delete().state == "DELETED"
    assert stored.refresh().state == "DELETED"


@pytest.mark.semantic
def test_text_bytes_and_folders_go_up_by_the_clients_helpers(sdk: RunloopSDK, tmp_path: Path) -> None:
    assert sdk.storage_object.upload_from_text("Grüße", name="greeting").download_as_text() == "Grüße"
    empty = sdk.storage_object.upload_from_bytes(b"", name="empty", content_type="binary")
    assert (empty.refresh().size_bytes, empty.download_as_bytes()) == (0, b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("inside")
    packed = sdk.storage_object.upload_from_dir(tmp_path / "folder", ttl=timedelta(hours=1))
    view = packed.refresh()
    assert (view.name, view.content_type) == ("folder.tar.gz", "tgz")
    assert view.delete_after_time_ms == view.create_time_ms + 3_600_000
    (tmp_path / "down").write_bytes(packed.download_as_bytes())
    with tarfile.open(tmp_path / "down") as archive:
        assert "file" in [Path(name).name for name in archive.getnames()]


@pytest.mark.semantic
def test_nothing_is_there_before_it_is_complete_and_nothing_changes_afterwards(
    client: Runloop, server: ServerProcess
) -> None:
    made = client.objects.create(name="stages", content_type="binary")
    assert (made.state, made.size_bytes) == ("UPLOADING", None)
    assert made.upload_url is not None
    with pytest.raises(ConflictError, match="Nothing was uploaded"):
        client.objects.complete(made.id)
    with pytest.raises(ConflictError, match="not complete"):
        client.objects.download(made.id)
    for content in (b"first", b"second"):
        assert httpx.put(made.upload_url, content=content).status_code == 200
    assert client.objects.complete(made.id).size_bytes == 6
    assert client.objects.complete(made.id).state == "READ_ONLY"
    assert client.objects.retrieve(made.id).upload_url is None
    assert httpx.put(made.upload_url, content=b"late").status_code == 409
    url = client.objects.download(made.id).download_url
    assert url.startswith(server.base_url)
    assert httpx.get(url).content == b"second"
    assert httpx.get(url, headers={"Range": "bytes=1-3"}).content == b"eco"
    client.objects.delete(made.id)
    assert httpx.get(url).status_code == 404
    with pytest.raises(ConflictError, match="DELETED"):
        client.objects.download(made.id)
    with pytest.raises(ConflictError, match="DELETED"):
        client.objects.complete(made.id)
    wait_until(lambda: not _contents(server, made.id), lambda: "its content is still there")
    assert client.objects.delete(made.id).state == "DELETED"


def test_a_time_to_live_really_deletes(client: Runloop, server: ServerProcess) -> None:
    made = client.objects.create(name="short-lived", content_type="text", ttl_ms=2500)
    assert made.upload_url is not None
    httpx.put(made.upload_url, content=b"x").raise_for_status()
    client.objects.complete(made.id)
    url = client.objects.download(made.id).download_url
    assert httpx.get(url).text == "x"
    assert made.delete_after_time_ms is not None
    time.sleep(max(0, made.delete_after_time_ms / 1000 - time.time()))
    assert httpx.get(url).status_code == 404
    wait_until(lambda: client.objects.retrieve(made.id).state == "DELETED", lambda: "it is still there")
    wait_until(lambda: not _contents(server, made.id), lambda: "its content is still there")
    assert made.id not in [one.id for one in client.objects.list(limit=5000)]


@pytest.mark.semantic
def test_lists_are_filtered_and_searched(client: Runloop) -> None:
    text = client.objects.create(name="Listed Alpha", content_type="text")
    tar = client.objects.create(name="listed beta", content_type="tar")
    gone = client.objects.create(name="listed gamma", content_type="tar")
    client.objects.delete(gone.id)

    def found(**filters: str) -> list[str]:
        return [one.id for one in client.objects.list(limit=5000, **filters)]  # type: ignore[arg-type]

    assert found(name="LISTED") == [tar.id, text.id]
    assert found(name="listed", content_type="tar") == [tar.id]
    assert found(search="alpha") == [text.id]
    assert found(search=text.id) == [text.id]
    assert found(name="listed", state="DELETED") == [gone.id]
    assert found(name="listed", state="UPLOADING") == [tar.id, text.id]
    assert found(name="listed", state="ERROR") == []
    page = client.objects.list(limit=1, name="listed")
    assert (page.has_more, page.total_count) == (True, 2)  # type: ignore[attr-defined]
    after = client.objects.list(limit=1, name="listed", starting_after=tar.id)
    assert [one.id for one in after.objects] == [text.id]
    assert list(client.objects.list_public()) == []


@pytest.mark.semantic
def test_a_repeated_create_makes_one_and_tells_its_url_again(client: Runloop) -> None:
    headers = {"x-request-id": "object-made-once"}
    made = [client.objects.create(name="once", content_type="text", extra_headers=headers) for _ in range(2)]
    assert made[0].id == made[1].id
    assert made[1].upload_url is not None


@pytest.mark.semantic
@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"name": "", "content_type": "text"}, "name"),
        ({"name": "x", "content_type": "zip"}, "content_type"),
        ({"name": "x", "content_type": "text", "ttl_ms": 0}, "ttl_ms"),
        ({"name": "x", "content_type": "text", "metadata": {"a": 1}}, "metadata.a"),
    ],
)
def test_what_cannot_be_an_object_is_refused(client: Runloop, params: dict[str, object], field: str) -> None:
    with pytest.raises(BadRequestError) as raised:
        client.objects.create(**params)  # type: ignore[arg-type]
    assert raised.value.body["field"] == field  # type: ignore[index, call-overload]


@pytest.mark.semantic
def test_what_is_not_there_is_not_found(client: Runloop) -> None:
    for call in (client.objects.retrieve, client.objects.complete, client.objects.delete, client.objects.download):
        with pytest.raises(NotFoundError):
            call("obj_none")
