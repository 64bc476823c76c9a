"""Files of recorded calls."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from loopyard.gateway.observation import Call
from loopyard.model_usage.metering.apis import Api
from loopyard.model_usage.metering.meter import Outcome
from loopyard.model_usage.recording import recorder as recording
from loopyard.model_usage.recording.recorder import Recorder
from loopyard.model_usage.recording.recordings import Recordings
from loopyard.model_usage.sums import CallReport
from tests.model_answers import ANSWERS, TEXT

SECRET = "sk-live-0123456789abcdef"


def call(number: int = 1) -> Call:
    return Call(
        id=f"gwx_{number}",
        account_id="acc_1",
        devbox_id="dbx_1",
        scenario_run_id="scr_1",
        gateway_id="gwc_1",
        gateway_name="models",
        host="api.openai.com",
        method="POST",
        path="/v1/chat/completions?key=abc",
        started_ms=number,
        record=True,
    )


def record(
    folder: Path, *, number: int = 1, request: bytes = b"{}", answer: bytes | None = None, **headers: str
) -> None:
    one = Recorder(folder).open(call(number), Api.CHAT, [f"Bearer {SECRET}"])
    one.request([("content-type", "application/json"), *headers.items()])
    one.request_body(request)
    if answer is not None:
        one.response(200, [("content-encoding", "gzip")])
        one.body(answer)
    one.write(CallReport(outcome=Outcome.COUNTED, model="m", nano_usd=5), None if answer else "the devbox hung up")


def lines(folder: Path) -> list[dict[str, Any]]:
    path = Recordings(folder).of_devbox("dbx_1")
    assert path is not None
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_a_call_is_a_line(tmp_path: Path) -> None:
    asked = json.dumps({"model": "m", "messages": [{"role": "user", "content": f"use {SECRET}"}]}).encode()
    record(tmp_path, request=asked, answer=gzip.compress(ANSWERS["chat-stream"].body), cookie="abc")
    (line,) = lines(tmp_path)
    assert line["path"] == "/v1/chat/completions?key=[removed]"
    assert line["request"]["body"]["messages"] == [{"role": "user", "content": "use [removed]"}]
    assert ["cookie", "[removed]"] in line["request"]["headers"]
    assert line["response"]["body"]["choices"][0]["message"]["content"] == TEXT.replace(" ", "")
    assert (line["response"]["status"], line["usage"]["model"], line["error"]) == (200, "m", None)
    path = Recordings(tmp_path).path("dbx_1")
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_what_is_no_json_is_text(tmp_path: Path) -> None:
    record(tmp_path, request=f"no json {SECRET}".encode(), answer=b"broken gzip")
    record(tmp_path, number=2)
    one, two = lines(tmp_path)
    assert one["request"] == {**one["request"], "body": None, "text": "no json [removed]", "is_cut": False}
    assert (one["response"]["body"], one["response"]["is_cut"]) == (None, True)
    assert (two["response"], two["error"]) == (None, "the devbox hung up")


def test_json_that_is_nested_too_deeply_is_text(tmp_path: Path) -> None:
    record(tmp_path, request=b"[" * 900 + b"]" * 900)
    (line,) = lines(tmp_path)
    assert len(line["request"]["text"]) == 1800


def test_long_bodies_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_BODY_BYTES", 1000)
    record(tmp_path, request=b'{"a": "' + b"x" * 2000, answer=gzip.compress(ANSWERS["chat"].body))
    (line,) = lines(tmp_path)
    assert line["request"]["is_cut"]
    assert len(line["request"]["text"]) == 1000
    assert not line["response"]["is_cut"]


def test_a_file_is_full_at_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_BYTES", 8192)
    for number in range(1, 40):
        record(tmp_path, number=number, request=json.dumps({"a": "x" * 500}).encode())
    found = lines(tmp_path)
    assert Recordings(tmp_path).path("dbx_1").stat().st_size <= 8192
    assert found[-1]["full"] is True
    assert [line["id"] for line in found[:-1]] == [f"gwx_{number}" for number in range(1, len(found))]


def test_a_line_that_a_crash_cut_off_spoils_no_other(tmp_path: Path) -> None:
    record(tmp_path)
    with Recordings(tmp_path).path("dbx_1").open("ab") as file:
        file.write(b'{"id": "gwx_2", "requ')
    record(tmp_path, number=3)
    path = Recordings(tmp_path).path("dbx_1")
    first, broken, last = path.read_bytes().splitlines()
    assert (json.loads(first)["id"], json.loads(last)["id"]) == ("gwx_1", "gwx_3")
    assert broken.startswith(b'{"id": "gwx_2"')
