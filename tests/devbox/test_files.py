"""Files through the official client."""

import os
from pathlib import Path

import pytest
from runloop_api_client import APIStatusError, BadRequestError, NotFoundError, PermissionDeniedError, Runloop

PATHS = ["plain.txt", "~/home.txt", "/home/user/deep/er/still.txt", "a b/ü ñ €.txt", "-dash", "quote'\"$(x).txt", "new\nline"]


@pytest.mark.parametrize("path", PATHS)
def test_text_goes_in_and_out(module_client: Runloop, devbox_id: str, path: str) -> None:
    module_client.devboxes.write_file_contents(devbox_id, file_path=path, contents="héllo\n")
    assert module_client.devboxes.read_file_contents(devbox_id, file_path=path) == "héllo\n"
    module_client.devboxes.write_file_contents(devbox_id, file_path=path, contents="")
    assert module_client.devboxes.read_file_contents(devbox_id, file_path=path) == ""


def test_a_relative_path_starts_at_home_and_belongs_to_the_user(module_client: Runloop, devbox_id: str) -> None:
    module_client.devboxes.write_file_contents(devbox_id, file_path="rel/x", contents="1")
    found = module_client.devboxes.execute_sync(devbox_id, command="stat -c '%U:%G' /home/user/rel /home/user/rel/x")
    assert found.stdout == "user:user\nuser:user\n"


def test_bytes_go_in_and_out(module_client: Runloop, devbox_id: str, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "blob").write_bytes(data)
    module_client.devboxes.upload_file(devbox_id, path="up/blob.bin", file=tmp_path / "blob")
    assert module_client.devboxes.download_file(devbox_id, path="up/blob.bin").read() == data


def test_a_missing_file_is_not_found(module_client: Runloop, devbox_id: str) -> None:
    with pytest.raises(NotFoundError) as error:
        module_client.devboxes.read_file_contents(devbox_id, file_path="nowhere")
    assert error.value.body["field"] == "file_path"  # type: ignore[index, call-overload]
    with pytest.raises(NotFoundError):
        module_client.devboxes.download_file(devbox_id, path="nowhere")


def test_a_folder_is_not_a_file(module_client: Runloop, devbox_id: str) -> None:
    with pytest.raises(BadRequestError):
        module_client.devboxes.read_file_contents(devbox_id, file_path="/home")
    with pytest.raises(BadRequestError):
        module_client.devboxes.write_file_contents(devbox_id, file_path="/home/user", contents="x")


def test_what_the_user_may_not_touch_is_forbidden(module_client: Runloop, devbox_id: str) -> None:
    with pytest.raises(PermissionDeniedError):
        module_client.devboxes.read_file_contents(devbox_id, file_path="/etc/shadow")
    with pytest.raises(PermissionDeniedError):
        module_client.devboxes.write_file_contents(devbox_id, file_path="/etc/passwd", contents="x")


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


def test_a_pipe_or_a_device_does_not_hang_the_server(module_client: Runloop, devbox_id: str) -> None:
    module_client.devboxes.execute_sync(devbox_id, command="mkfifo pipe")
    for path in ("pipe", "/dev/zero"):
        with pytest.raises(BadRequestError):
            module_client.devboxes.read_file_contents(devbox_id, file_path=path)
    with pytest.raises(BadRequestError):
        module_client.devboxes.write_file_contents(devbox_id, file_path="pipe", contents="x")


def test_bytes_that_are_not_text_are_replaced_when_read_as_text(module_client: Runloop, devbox_id: str) -> None:
    module_client.devboxes.execute_sync(devbox_id, command=r"printf 'a\xffb' > odd")
    assert module_client.devboxes.read_file_contents(devbox_id, file_path="odd") == "a\ufffdb"
