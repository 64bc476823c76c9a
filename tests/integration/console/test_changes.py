"""Changes by pages: asked for by a page of the console, by those who may, and written into the audit log."""

import json
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from runloop_api_client import Runloop

from tests.console import Console
from tests.serving import ServerProcess


@pytest.fixture(scope="module")
def devbox_id(server: ServerProcess) -> Generator[str]:
    with server.client() as client:
        made = client.devboxes.create_and_await_running(name="of the console")
        yield made.id
        client.devboxes.shutdown(made.id)


@pytest.fixture
def reader(server: ServerProcess) -> Generator[Console]:
    """A console, logged in with a key that may look at devboxes only."""
    with server.client() as client, Console(server.base_url) as console:
        key = client.restricted_keys.create(
            name="reads", scopes=[{"access_level": "ACCESS_LEVEL_READ", "resource_type": "RESOURCE_TYPE_DEVBOXES"}]
        )
        assert key.key_secret
        console.log_in(key.key_secret)
        yield console


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.test"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": "null"},
    ],
)
def test_other_sites_change_nothing(console: Console, devbox_id: str, headers: dict[str, str]) -> None:
    data = {"csrf": console.csrf}
    assert console.post(f"/console/devboxes/{devbox_id}/shutdown", data=data, headers=headers).status_code == 403


@pytest.mark.parametrize("token", [None, "", "x" * 43, "\ud800".encode("utf-8", "surrogatepass")])
def test_without_the_token_of_the_page_nothing_changes(console: Console, devbox_id: str, token: bytes | None) -> None:
    data = {} if token is None else {"csrf": token}
    for action in ("shutdown", "suspend", "snapshot", "commands", "terminal/main"):
        answer = console.post(f"/console/devboxes/{devbox_id}/{action}", data=data)
        assert answer.status_code == 403, action
    upload = console.post(
        f"/console/devboxes/{devbox_id}/files/upload",
        data={"csrf": "no", "folder": "/tmp", "name": "x"},
        files={"file": b"x"},
    )
    assert upload.status_code == 403


def test_what_a_key_may_not_do_is_neither_offered_nor_done(
    console: Console, reader: Console, devbox_id: str, server: ServerProcess
) -> None:
    offered, whole = reader.page(f"/devboxes/{devbox_id}"), console.page(f"/devboxes/{devbox_id}")
    for words in ("Shut down", "Suspend", "Open a tunnel", "/terminal"):
        assert words in whole
        assert words not in offered
    assert "Create a devbox" not in reader.page("/devboxes")
    reader.change(f"/devboxes/{devbox_id}/shutdown", expect=403)
    reader.change("/devboxes", expect=403)
    assert "lacks ACCESS_LEVEL_WRITE" in reader.page(f"/devboxes/{devbox_id}/terminal", expect=403)
    with server.client() as client:
        assert client.devboxes.retrieve(devbox_id).status == "running"


def test_actions_are_those_of_the_api(console: Console, client: Runloop) -> None:
    made = console.change("/devboxes", {"name": "made here", "size": "X_SMALL"}).headers["location"]
    devbox_id = made.rpartition("/")[2]
    devbox = client.devboxes.await_running(devbox_id)
    assert devbox.name == "made here"
    assert devbox.launch_parameters.resource_size_request == "X_SMALL"
    console.change(f"/devboxes/{devbox_id}/keep_alive")
    assert "has begun anew" in console.page(f"/devboxes/{devbox_id}")
    assert "has begun anew" not in console.page(f"/devboxes/{devbox_id}")
    console.change(f"/devboxes/{devbox_id}/enable_tunnel")
    assert client.devboxes.retrieve(devbox_id).tunnel is not None
    console.change(f"/devboxes/{devbox_id}/remove_tunnel")
    console.change(f"/devboxes/{devbox_id}/suspend")
    client.devboxes.await_suspended(devbox_id)
    assert "Resume" in console.page(f"/devboxes/{devbox_id}")
    console.change(f"/devboxes/{devbox_id}/commands", {"command": "true"}, expect=409)
    console.change(f"/devboxes/{devbox_id}/resume")
    client.devboxes.await_running(devbox_id)
    console.change(f"/devboxes/{devbox_id}/shutdown")
    assert client.devboxes.retrieve(devbox_id).status == "shutdown"


def test_bad_input_is_told(console: Console) -> None:
    assert "resource_size_request" in console.change("/devboxes", {"size": "HUGE"}, expect=400).text
    console.change("/devboxes", {"source": "snp_00000000000000000000000000"}, expect=404)
    console.change("/devboxes", {"name": "\0"}, expect=400)
    console.page("/devboxes/dbx_00000000000000000000000000", expect=404)
    console.page("/devboxes/%00", expect=404)
    console.page("/devboxes?after=nonsense", expect=400)


def test_forms_are_bounded(console: Console) -> None:
    assert console.post("/console/devboxes", data={"name": "x" * (1 << 20)}).status_code == 413
    assert console.post("/console/devboxes", content=iter([b"x"])).status_code == 411


def test_files_come_out_as_they_went_in(console: Console, devbox_id: str) -> None:
    content = bytes(range(256)) * 5000
    answer = console.post(
        f"/console/devboxes/{devbox_id}/files/upload",
        data={"csrf": console.csrf, "folder": "/tmp", "name": "a b.bin"},
        files={"file": ("../../etc/passwd", content)},
    )
    assert answer.status_code == 303, answer.text
    assert "a b.bin" in console.page(f"/devboxes/{devbox_id}/files?path=/tmp")
    answer = console.get(f"/console/devboxes/{devbox_id}/files/download?path=/tmp/a%20b.bin")
    assert answer.content == content
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "This is no text" in console.page(f"/devboxes/{devbox_id}/files/view?path=/tmp/a%20b.bin")
    assert "no /nowhere" in console.page(f"/devboxes/{devbox_id}/files?path=/nowhere", expect=404)
    console.page(f"/devboxes/{devbox_id}/files?path=/etc/passwd", expect=400)
    console.page(f"/devboxes/{devbox_id}/files?path=/root", expect=403)


def test_changes_are_in_the_audit_log_as_operations(console: Console, client: Runloop, server: ServerProcess) -> None:
    made = console.change("/devboxes").headers["location"].rpartition("/")[2]
    client.devboxes.await_running(made)
    console.page(f"/devboxes/{made}/terminal")
    console.page(f"/devboxes/{made}/files")
    console.change(f"/devboxes/{made}/shutdown")
    entries: list[str] = []
    for _ in range(50):
        lines = "".join(path.read_text() for path in Path(server.data_dir, "audit").iterdir()).splitlines()
        entries = [
            each["operation"]
            for each in map(json.loads, lines)
            if made in each.get("path", "") or made == each.get("made")
        ]
        if "POST /v1/devboxes/{}/shutdown" in entries:
            break
        time.sleep(0.1)
    assert "POST /v1/devboxes/{}/shutdown" in entries
    assert entries == ["POST /v1/devboxes", "POST /v1/devboxes/{}/shutdown"]
