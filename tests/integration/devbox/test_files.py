"""Files through the official client."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from runloop_api_client import APIStatusError, BadRequestError, NotFoundError, PermissionDeniedError, Runloop

from tests.serving import ServerProcess

PATHS = [
    "plain.txt",
    "~/home.txt",
    "/home/user/deep/er/still.txt",
    "a b/ü ñ €.txt",
    "-dash",
    "quote'\"$(x).txt",
    "new\nline",
]


@pytest.mark.semantic
def test_a_path_has_as_many_bytes_as_the_kernel_takes(module_client: Runloop, devbox_id: str) -> None:
    devboxes = module_client.devboxes
    for name in ("漢" * 80, "a" * 255):
        devboxes.write_file_contents(devbox_id, file_path=f"names/{name}", contents="one")
        devboxes.upload_file(devbox_id, path=f"names/{name}", file=b"two")
        assert devboxes.read_file_contents(devbox_id, file_path=f"names/{name}") == "two"
    long = "漢" * 1366
    for call, field in (
        (lambda: devboxes.write_file_contents(devbox_id, file_path=long, contents=""), "file_path"),
        (lambda: devboxes.read_file_contents(devbox_id, file_path=long), "file_path"),
        (lambda: devboxes.download_file(devbox_id, path=long), "path"),
        (lambda: devboxes.upload_file(devbox_id, path=long, file=b""), "path"),
    ):
        with pytest.raises(BadRequestError) as refused:
            call()
        assert refused.value.body["field"] == field  # type: ignore[index, call-overload]
        assert "bytes" in str(refused.value)


@pytest.mark.semantic
@pytest.mark.parametrize("path", PATHS)
def test_text_goes_in_and_out(module_client: Runloop, devbox_id: str, path: str) -> None:
    module_client.devboxes.write_file_contents(devbox_id, file_path=path, contents="héllo\n")
    assert module_client.devboxes.read_file_contents(devbox_id, file_path=path) == "héllo\n"
    module_client.devboxes.write_file_contents(devbox_id, file_path=path, contents="")
    assert module_client.devboxes.read_file_contents(devbox_id, file_path=path) == ""


@pytest.mark.semantic
def test_a_relative_path_starts_at_home_and_belongs_to_the_user(module_client: Runloop, devbox_id: str) -> None:
    module_client.devboxes.write_file_contents(devbox_id, file_path="rel/x", contents="1")
    found = module_client.devboxes.execute_sync(devbox_id, command="stat -c '%U:%G' /home/user/rel /home/user/rel/x")
    assert found.stdout == "user:user\nuser:user\n"


@pytest.mark.semantic
def test_bytes_go_in_and_out(module_client: Runloop, devbox_id: str, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "blob").write_bytes(data)
    module_client.devboxes.upload_file(devbox_id, path="up/blob.bin", file=tmp_path / "blob")
    assert module_client.devboxes.download_file(devbox_id, path="up/blob.bin").read() == data


@pytest.mark.semantic
def test_a_missing_file_is_not_found(module_client: Runloop, devbox_id: str) -> None:
    with pytest.raises(NotFoundError) as error:
        module_client.devboxes.read_file_contents(devbox_id, file_path="nowhere")
    assert error.value.body["field"] == "file_path"  # type: ignore[index, call-overload]
    with pytest.raises(NotFoundError):
        module_client.devboxes.download_file(devbox_id, path="nowhere")


@pytest.mark.semantic
def test_a_folder_is_not_a_file(module_client: Runloop, devbox_id: str) -> None:
    with pytest.raises(BadRequestError):
        module_client.devboxes.read_file_contents(devbox_id, file_path="/home")
    with pytest.raises(BadRequestError):
        module_client.devboxes.write_file_contents(devbox_id, file_path="/home/user", contents="x")


@pytest.mark.semantic
def test_what_the_user_may_not_touch_is_forbidden(module_client: Runloop, devbox_id: str) -> None:
    with pytest.raises(PermissionDeniedError):
        module_client.devboxes.read_file_contents(devbox_id, file_path="/etc/shadow")
    with pytest.raises(PermissionDeniedError):
        module_client.devboxes.write_file_contents(devbox_id, file_path="/etc/passwd", contents="x")


@pytest.mark.semantic
def test_links_never_lead_to_the_host(module_client: Runloop, devbox_id: str) -> None:
    module_client.devboxes.execute_sync(
        devbox_id, command="ln -s /proc/1/root/etc/hostname a; ln -s ../../../../../../../../etc/shadow b; ln -s /x/y c"
    )
    inside = module_client.devboxes.execute_sync(devbox_id, command="cat /etc/hostname").stdout
    try:
        assert module_client.devboxes.read_file_contents(devbox_id, file_path="a") == inside
    except APIStatusError as error:
        assert error.status_code in (403, 404)  # noqa: PT017
    with pytest.raises(PermissionDeniedError):
        module_client.devboxes.read_file_contents(devbox_id, file_path="b")
    with pytest.raises(APIStatusError):
        module_client.devboxes.write_file_contents(devbox_id, file_path="c", contents="x")


@pytest.mark.semantic
def test_a_pipe_or_a_device_does_not_hang_the_server(module_client: Runloop, devbox_id: str) -> None:
    module_client.devboxes.execute_sync(devbox_id, command="mkfifo pipe")
    for path in ("pipe", "/dev/zero"):
        with pytest.raises(BadRequestError):
            module_client.devboxes.read_file_contents(devbox_id, file_path=path)
    with pytest.raises(BadRequestError):
        module_client.devboxes.write_file_contents(devbox_id, file_path="pipe", contents="x")


@pytest.mark.semantic
def test_bytes_that_are_not_text_are_replaced_when_read_as_text(module_client: Runloop, devbox_id: str) -> None:
    module_client.devboxes.execute_sync(devbox_id, command=r"printf 'a\xffb' > odd")
    assert module_client.devboxes.read_file_contents(devbox_id, file_path="odd") == "a\ufffdb"


@pytest.mark.semantic
def test_text_that_is_not_valid_unicode_is_refused(server: ServerProcess, devbox_id: str) -> None:
    for body in (b'{"file_path": "x", "contents": "\\ud800"}', b'{"file_path": "\\ud800", "contents": "x"}'):
        answer = _post(server, f"/v1/devboxes/{devbox_id}/write_file_contents", body, "application/json")
        assert answer.status_code == 400
        assert answer.json()["field"] in ("contents", "file_path")


def _post(server: ServerProcess, path: str, body: bytes | Iterator[bytes], kind: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {server.api_key}", "Content-Type": kind}
    return httpx.post(server.base_url + path, content=body, headers=headers, timeout=300)


def _part(name: str, content: bytes, extra: str = "") -> bytes:
    head = f'--LIMIT\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
    return head.encode() + content + b"\r\n"


END = b"--LIMIT--\r\n"
FORM = 'multipart/form-data; boundary="LIMIT"'
FILE = '; filename="blob"\r\nContent-Type: application/octet-stream'


@pytest.mark.semantic
@pytest.mark.parametrize("file_first", [False, True])
@pytest.mark.parametrize("size", [0, 1, 1 << 20, 3_000_001])
def test_an_upload_may_bring_its_parts_in_any_order(
    server: ServerProcess, module_client: Runloop, devbox_id: str, size: int, file_first: bool
) -> None:
    data = (b"\r\n--LIMI\r\n--LIMITED" * (size // 20 + 1))[:size]
    parts = [_part("path", b"up/any order.bin"), _part("other", b"ignored"), _part("file", data, FILE)]
    body = b"".join(reversed(parts) if file_first else parts) + END
    # In pieces of an odd size, so that borders fall everywhere.
    pieces = (body[at : at + 977] for at in range(0, len(body), 977))
    answer = _post(server, f"/v1/devboxes/{devbox_id}/upload_file", pieces, FORM)
    assert (answer.status_code, answer.json()) == (200, {})
    assert module_client.devboxes.download_file(devbox_id, path="up/any order.bin").read() == data


@pytest.mark.semantic
@pytest.mark.parametrize(
    ("body", "kind", "field"),
    [
        (_part("path", b"x") + END, FORM, "file"),
        (_part("file", b"x", FILE) + END, FORM, "path"),
        (_part("path", b"") + _part("file", b"x", FILE) + END, FORM, "path"),
        (_part("path", b"a\x00b") + _part("file", b"x", FILE) + END, FORM, "path"),
        (_part("path", b"\xff") + _part("file", b"x", FILE) + END, FORM, "path"),
        (_part("path", b"x" * 5000) + _part("file", b"x", FILE) + END, FORM, "path"),
        (_part("path", b"x" * 100_000) + _part("file", b"x", FILE) + END, FORM, "path"),
        (_part("path", b"two") + _part("file", b"x", FILE) + _part("file", b"y", FILE) + END, FORM, "file"),
        (_part("path", b"cut") + _part("file", b"x" * 5000, FILE), FORM, "body"),
        (_part("path", b"cut"), FORM, "body"),
        (b"no form at all", FORM, "body"),
        (b"", FORM, "body"),
        (_part("path", b"x") + END, "multipart/form-data", "body"),
        (b"{}", "application/json", "body"),
        (_part("p", b"") * 1000 + END, FORM, "body"),
        (_part("p", b"", "; x=" + "y" * 100_000) + END, FORM, "body"),
    ],
    ids=[
        "no-file",
        "no-path",
        "empty-path",
        "NUL-in-path",
        "odd-path",
        "long-path",
        "huge-path",
        "two-files",
        "cut-in-file",
        "cut-in-form",
        "no-form",
        "nothing",
        "no-boundary",
        "JSON",
        "many-parts",
        "huge-header",
    ],
)
def test_an_upload_that_is_wrong_is_refused(
    server: ServerProcess, module_client: Runloop, devbox_id: str, body: bytes, kind: str, field: str
) -> None:
    answer = _post(server, f"/v1/devboxes/{devbox_id}/upload_file", body, kind)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    left = module_client.devboxes.execute_sync(devbox_id, command="ls -A | grep -E 'two|cut|part' || true")
    assert left.stdout == "", "something of it was left"


@pytest.mark.semantic
def test_an_upload_to_where_the_user_may_not_write_is_forbidden(
    module_client: Runloop, devbox_id: str, tmp_path: Path
) -> None:
    (tmp_path / "blob").write_bytes(b"x" * 5_000_000)
    with pytest.raises(PermissionDeniedError):
        module_client.devboxes.upload_file(devbox_id, path="/etc/blob", file=tmp_path / "blob")
    with pytest.raises(NotFoundError):
        module_client.devboxes.upload_file("dbx_nope", path="blob", file=tmp_path / "blob")


def test_large_files_go_through_in_constant_memory(server: ServerProcess, module_client: Runloop) -> None:
    block = os.urandom(1 << 20)
    count = 2048
    process = psutil.Process(server.pid)

    def pieces() -> Iterator[bytes]:
        yield _part("path", b"big") + _part("file", b"", FILE)[:-2]
        for _ in range(count):
            yield block
        yield b"\r\n" + END

    devbox = module_client.devboxes.create_and_await_running(
        launch_parameters={
            "resource_size_request": "CUSTOM_SIZE",
            "custom_cpu_cores": 1,
            "custom_gb_memory": 2,
            "custom_disk_size": 8,
        }
    )
    before = process.memory_info().rss
    answer = _post(server, f"/v1/devboxes/{devbox.id}/upload_file", pieces(), FORM)
    assert answer.status_code == 200
    assert process.memory_info().rss - before < 64 << 20
    received = 0
    with module_client.devboxes.with_streaming_response.download_file(devbox.id, path="big") as download:
        for piece in download.iter_bytes(1 << 20):
            assert piece == block[: len(piece)]
            received += len(piece)
    assert received == count << 20
    assert process.memory_info().rss - before < 64 << 20
    module_client.devboxes.shutdown(devbox.id)
