"""Objects in devboxes: real ones, made by the official client."""

import gzip
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

import httpx
import pytest
from runloop_api_client import ConflictError, NotFoundError, Runloop

from tests.integration.devbox.waiting import run, wait_for


def _object(client: Runloop, content: bytes, content_type: str) -> str:
    made = client.objects.create(name="mounted", content_type=content_type)  # type: ignore[arg-type]
    assert made.upload_url is not None
    httpx.put(made.upload_url, content=content).raise_for_status()
    client.objects.complete(made.id)
    return made.id


def _tar(members: Iterable[tuple[tarfile.TarInfo, bytes]], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))  # pyright: ignore[reportUnknownMemberType]
    return out.getvalue()


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


def _mount(object_id: str, path: str) -> dict[str, str]:
    return {"type": "object_mount", "object_id": object_id, "object_path": path}


def test_files_and_archives_are_there_before_the_launch_commands(client: Runloop) -> None:
    files = [(_member("bin/tool", mode=0o755), b"#!/bin/sh\necho tool\n"), (_member("data"), b"data")]
    tar, tgz = _object(client, _tar(files), "tar"), _object(client, _tar(files, "w:gz"), "tgz")
    text = _object(client, b"plain", "text")
    packed = _object(client, gzip.compress(b"unpacked"), "gzip")
    mounts = [
        _mount(text, "/home/user/deep/object.txt"),
        _mount(tar, "~/from-tar"),
        _mount(tgz, "/opt/from-tgz"),
        _mount(packed, "unzipped"),
        _mount(packed, "/etc/kept.gz"),
    ]
    devbox = client.devboxes.create_and_await_running(
        mounts=mounts,  # type: ignore[arg-type]
        launch_parameters={"launch_commands": ["from-tar/bin/tool > seen; /opt/from-tgz/bin/tool >> seen"]},
    )
    contents = "cat seen deep/object.txt from-tar/data unzipped; zcat /etc/kept.gz"
    assert (
        run(client, devbox.id, f"{contents}; stat -c ' %U' from-tar/data /opt/from-tgz")
        == "tool\ntool\nplaindataunpackedunpacked user\n user\n"
    )
    assert run(client, devbox.id, "ls -A /tmp | grep -c object || true") == "0\n"
    client.devboxes.shutdown(devbox.id)


@pytest.mark.parametrize(
    "member",
    [
        (_member("../../../outside"), b"x"),
        (_member("/etc/outside"), b"x"),
        (_member("null", tarfile.CHRTYPE), b""),
        (_member("shadow", tarfile.LNKTYPE, "/etc/shadow"), b""),
    ],
    ids=["up", "absolute", "device", "hard link"],
)
def test_hostile_archives_reach_nothing_outside_of_their_folder(
    client: Runloop, member: tuple[tarfile.TarInfo, bytes]
) -> None:
    archive = _object(client, _tar([(_member("good"), b"good"), member]), "tar")
    devbox = client.devboxes.create(mounts=[_mount(archive, "/home/user/unpacked")])  # type: ignore[list-item]
    done = wait_for(client, devbox.id, "running", "failure")
    assert not Path("/etc/outside").exists(), "it reached the host"
    if done.status == "failure":
        assert done.failure_reason == "execution_failed"
        return
    left = "find / -xdev -name outside -not -path '/home/user/unpacked/*' 2>/dev/null | wc -l; cat unpacked/good"
    assert run(client, devbox.id, left) == "0\ngood"
    client.devboxes.shutdown(devbox.id)


def test_links_in_an_archive_do_not_lead_its_files_out(client: Runloop) -> None:
    members = [(_member("way", tarfile.SYMTYPE, "/home/user/elsewhere"), b""), (_member("way/file"), b"x")]
    archive = _object(client, _tar(members), "tar")
    devbox = client.devboxes.create(mounts=[_mount(archive, "/home/user/unpacked")])  # type: ignore[list-item]
    done = wait_for(client, devbox.id, "running", "failure")
    if done.status == "failure":
        assert done.failure_reason == "execution_failed"
        return
    assert run(client, devbox.id, "ls -A elsewhere 2>/dev/null | wc -l") == "0\n"
    client.devboxes.shutdown(devbox.id)


def test_what_is_no_archive_fails_the_devbox_with_the_reason(client: Runloop) -> None:
    broken = _object(client, b"this is no archive", "tgz")
    devbox = client.devboxes.create(mounts=[_mount(broken, "/home/user/unpacked")])  # type: ignore[list-item]
    done = wait_for(client, devbox.id, "running", "failure")
    assert (done.status, done.failure_reason) == ("failure", "execution_failed")
    told = [transition.failure_reason or "" for transition in done.state_transitions]
    logs = client.devboxes.logs.list(devbox.id).logs
    assert any("gzip" in text for text in [*told, *(log.message or "" for log in logs)])


def test_objects_that_cannot_be_mounted_are_refused_at_once(client: Runloop) -> None:
    waiting = client.objects.create(name="waiting", content_type="text")
    with pytest.raises(NotFoundError) as missing:
        client.devboxes.create(mounts=[_mount("obj_none", "x")])  # type: ignore[list-item]
    assert missing.value.body["field"] == "mounts.0.object_id"  # type: ignore[index, call-overload]
    with pytest.raises(ConflictError) as early:
        client.devboxes.create(mounts=[_mount(waiting.id, "x")])  # type: ignore[list-item]
    assert early.value.body["field"] == "mounts.0.object_id"  # type: ignore[index, call-overload]
