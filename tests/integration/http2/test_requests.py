"""The API over HTTP/2: what is asked and answered is what it is over HTTP/1.1."""

import asyncio
import json
import time

import httpx
import pytest
from h2.errors import ErrorCodes
from h2.events import DataReceived, ResponseReceived
from runloop_api_client import Runloop

from tests.integration.http2.talking import http2, talking
from tests.serving import ServerProcess


@pytest.mark.anyio
async def test_many_requests_at_once_take_one_connection(server: ServerProcess, devbox_id: str) -> None:
    path = f"/v1/devboxes/{devbox_id}/execute_sync"
    async with httpx.AsyncClient(
        base_url=server.base_url,
        headers={"Authorization": f"Bearer {server.api_key}"},
        http1=False,
        http2=True,
        limits=httpx.Limits(max_connections=1),
        timeout=60,
    ) as http:
        begun = time.monotonic()
        answers = await asyncio.gather(
            *(http.post(path, json={"command": f"sleep 0.5; echo {number}"}) for number in range(40))
        )
        took = time.monotonic() - begun
    assert [(one.status_code, one.json()["stdout"]) for one in answers] == [(200, f"{n}\n") for n in range(40)]
    assert {one.http_version for one in answers} == {"HTTP/2"}
    assert took < 40 * 0.5, "they did not wait for one another"


def test_answers_tell_the_date_and_nothing_of_a_connection(server: ServerProcess) -> None:
    with http2(server) as http:
        answer = http.get("/healthz")
    assert answer.http_version == "HTTP/2"
    assert len(answer.headers.get_list("date")) == 1
    assert not {"connection", "transfer-encoding", "keep-alive"} & set(answer.headers)


def test_head_is_answered_without_a_body(server: ServerProcess) -> None:
    with talking(server) as talk:
        for path in ("/healthz", "/v1/nothing"):
            over_1 = httpx.head(server.base_url + path)
            assert talk.answer(talk.ask(path, "HEAD")) == (over_1.status_code, b"")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/devboxes/dbx_unknown", None),
        ("GET", "/v1/nowhere", None),
        ("PUT", "/v1/devboxes", None),
        ("POST", "/v1/scenarios", {"name": 1}),
        ("GET", "/v1/devboxes?limit=many", None),
        ("POST", "/v1/secrets", b"{not json"),
    ],
)
def test_bad_input_is_answered_as_over_http_1(
    server: ServerProcess, method: str, path: str, body: dict[str, object] | bytes | None
) -> None:
    sent = {"content": body} if isinstance(body, bytes) else {"json": body}
    with http2(server) as http:
        answer = http.request(method, path, **sent)  # type: ignore[arg-type]
    over_1 = httpx.request(
        method,
        server.base_url + path,
        headers={"Authorization": f"Bearer {server.api_key}"},
        **sent,  # type: ignore[arg-type]
    )
    assert 400 <= answer.status_code < 500
    assert (answer.status_code, answer.json()) == (over_1.status_code, over_1.json())
    assert {"code", "message"} <= set(answer.json())


def test_a_wrong_key_is_refused_though_the_upload_is_not_over(server: ServerProcess, devbox_id: str) -> None:
    path = f"/v1/devboxes/{devbox_id}/upload_file"
    with http2(server) as http:
        files = {"file": b"a" * (8 << 20)}
        answer = http.post(path, headers={"Authorization": "Bearer wrong"}, data={"path": "x"}, files=files)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert http.get("/healthz").status_code == 200, "the connection is as good as before"


def test_events_come_one_by_one_as_they_happen(server: ServerProcess, module_client: Runloop, devbox_id: str) -> None:
    command = "for i in 1 2 3; do echo $i; while [ ! -e ~/go-$i ]; do sleep 0.05; done; done"
    execution = module_client.devboxes.execute_async(devbox_id, command=command)
    path = f"/v1/devboxes/{devbox_id}/executions/{execution.execution_id}/stream_stdout_updates"
    seen = ""
    with http2(server) as http, http.stream("GET", path) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if not line.startswith("data: "):
                continue
            seen += json.loads(line[6:])["output"]
            done = seen.split()[-1]
            # The next line is only printed once this one was seen.
            assert http.post(
                f"/v1/devboxes/{devbox_id}/write_file_contents", json={"file_path": f"go-{done}", "contents": ""}
            ).is_success
    assert seen == "1\n2\n3\n"


def test_a_stream_that_the_client_resets_ends_alone(
    server: ServerProcess, module_client: Runloop, devbox_id: str
) -> None:
    execution = module_client.devboxes.execute_async(devbox_id, command="while echo tick; do sleep 0.05; done")
    with talking(server) as talk:
        events = talk.ask(f"/v1/devboxes/{devbox_id}/executions/{execution.execution_id}/stream_stdout_updates")
        talk.listen(lambda: bool(talk.all(DataReceived, events)))
        assert talk.all(DataReceived, events)
        talk.h2.reset_stream(events, ErrorCodes.CANCEL)
        talk.flush()
        assert talk.answer(talk.ask())[0] == 200
        before = len(talk.all(DataReceived, events))
        time.sleep(0.3)
        assert talk.answer(talk.ask())[0] == 200
        assert len(talk.all(DataReceived, events)) == before, "nothing more comes of it"
    module_client.devboxes.executions.kill(execution.execution_id, devbox_id=devbox_id)


def test_a_client_that_says_goodbye_still_gets_its_answers(server: ServerProcess, devbox_id: str) -> None:
    with talking(server) as talk:
        stream = talk.h2.get_next_available_stream_id()
        head = [*talk.head(f"/v1/devboxes/{devbox_id}/execute_sync", "POST"), ("content-type", "application/json")]
        talk.h2.send_headers(stream, head)
        talk.h2.send_data(stream, b'{"command": "sleep 0.5; echo whole"}', end_stream=True)
        said = talk.h2.data_to_send()
        talk.socket.sendall(said + b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + bytes(8))  # GOAWAY without an error
        status, body = talk.answer(stream)
        assert (status, json.loads(body)["stdout"]) == (200, "whole\n")
        assert talk.all(ResponseReceived, stream)
        assert talk.goodbye() == ErrorCodes.NO_ERROR
