"""What devboxes reach through the gateway, tried from inside."""

import base64
import hashlib
import json

import psutil
from runloop_api_client import Runloop

from tests.integration.gateway.conftest import Box, MakeBox
from tests.integration.gateway.upstream import SECRET, Upstream
from tests.serving import ServerProcess


def _headers(told: dict[str, object], name: str) -> list[str]:
    headers: list[list[str]] = told["headers"]  # type: ignore[assignment]
    return [value for key, value in headers if key.lower() == name]


def test_a_request_passes_with_the_real_credential(box: Box, upstream: Upstream) -> None:
    told = json.loads(box.curl("/v1/a%2Fb/%C3%A9?x=1&y=%20", "-X PATCH", "-d hello", "-H 'X-Own: kept'"))
    assert (told["method"], told["target"]) == ("PATCH", "/base/v1/a%2Fb/%C3%A9?x=1&y=%20")
    assert _headers(told, "authorization") == [f"Bearer {SECRET}"]
    assert _headers(told, "x-own") == ["kept"]
    assert _headers(told, "host") == [f"127.0.0.1:{upstream.port}"]
    assert told["sha256"] == hashlib.sha256(b"hello").hexdigest()
    assert "gws_" not in json.dumps(told)


def test_answers_pass_unchanged(box: Box) -> None:
    out = box.curl("/any?status=418", "-i")
    head, _, body = out.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 418 ")
    lines = [line.lower() for line in head.splitlines()]
    assert "x-answer: yes" in lines
    assert "set-cookie: a=b" in lines
    assert not any(line.startswith(("x-hop", "connection: x-hop")) for line in lines)
    assert json.loads(body)["method"] == "GET"
    assert box.curl("/any", "-I").startswith("HTTP/1.1 200 ")
    assert box.curl("/any?status=204", "-i").startswith("HTTP/1.1 204 ")
    assert box.curl("/any", "-X OPTIONS", "-w %{http_code}").endswith("200")


def test_tokens_are_found_where_clients_put_them(box: Box) -> None:
    for field in ("x-api-key: $MODEL", "x-goog-api-key: $MODEL", "X-Elsewhere: $MODEL", "Authorization: $MODEL"):
        status, out = box.run(f'curl -sS -H "{field}" "$MODEL_URL/x"')
        told = json.loads(out)
        assert (status, _headers(told, "authorization")) == (0, [f"Bearer {SECRET}"]), field
        assert "gws_" not in out
        assert "x-api-key" not in out
    for user in ("user:$MODEL", "$MODEL:"):
        told = json.loads(box.run(f'curl -sS -u "{user}" "$MODEL_URL/x"')[1])
        assert _headers(told, "authorization") == [f"Bearer {SECRET}"]


def test_every_mechanism_puts_the_credential_where_it_says(
    client: Runloop, make_box: MakeBox, upstream: Upstream, secret: str
) -> None:
    other = client.secrets.create(name="OTHER_KEY", value="other value")
    mechanisms = {
        "HEADER": {"type": "header", "key": "X-Api-Key"},
        "BASIC": {"type": "basic"},
        "CUSTOM": {"type": "bearer"},
    }
    custom = [{"name": "X-Literal", "value": "as it is"}, {"name": "X-Secret", "secret": "OTHER_KEY"}]
    gateways = {}
    for prefix, mechanism in mechanisms.items():
        made = client.gateway_configs.create(
            name=f"mechanism {prefix}",
            endpoint=upstream.url,
            auth_mechanism=mechanism,  # type: ignore[arg-type]
            custom_headers=custom if prefix == "CUSTOM" else None,  # type: ignore[arg-type]
        )
        gateways[prefix] = {"gateway": made.name, "secret": "UPSTREAM_KEY"}
        if prefix == "CUSTOM":
            assert made.custom_headers is not None
            assert made.custom_headers[1].secret == other.id
    box = make_box(gateways=gateways)
    specs = client.devboxes.retrieve(box.id).gateway_specs
    assert specs is not None
    assert specs["BASIC"].secret_id == secret
    told = json.loads(box.curl("/", prefix="HEADER"))
    assert (_headers(told, "x-api-key"), _headers(told, "authorization")) == ([SECRET], [])
    told = json.loads(box.curl("/", prefix="BASIC"))
    assert _headers(told, "authorization") == ["Basic " + base64.b64encode(SECRET.encode()).decode()]
    told = json.loads(box.curl("/", "-H 'x-literal: mine'", prefix="CUSTOM"))
    assert (_headers(told, "x-literal"), _headers(told, "x-secret")) == (["as it is"], ["other value"])


def test_server_sent_events_come_piece_by_piece(box: Box, upstream: Upstream) -> None:
    upstream.may_go_on.clear()
    program = (
        "import os, urllib.request as u; "
        "r = u.urlopen(u.Request(os.environ['MODEL_URL'] + '/events', "
        "headers={'Authorization': 'Bearer ' + os.environ['MODEL']})); "
        "print(r.readline(), flush=True); open('/tmp/first', 'w'); print(r.read(), flush=True)"
    )
    execution = box.client.devboxes.execute_async(box.id, command=f'python3 -c "{program}"')
    assert box.run("until [ -e /tmp/first ]; do sleep 0.05; done")[0] == 0
    upstream.may_go_on.set()
    done = box.client.devboxes.executions.await_completed(execution.execution_id, devbox_id=box.id)
    assert done.stdout == "b'data: one\\n'\nb'\\ndata: two\\n\\n'\n"


def test_large_bodies_pass_in_constant_memory(box: Box, server: ServerProcess) -> None:
    box.curl("/warm-up")
    proxy = _proxy(server)
    before = proxy.memory_info().rss
    assert box.run(f"{_CURL}/large/100 | wc -c")[1].split() == [str(100 << 20)]
    assert box.run(f"{_CURL}/large/100?chunked | wc -c")[1].split() == [str(100 << 20)]
    sent = f"head -c {100 << 20} /dev/zero | {_CURL}/upload -X POST -T -"
    told = json.loads(box.run(sent)[1])
    assert (told["length"], _headers(told, "transfer-encoding")) == (100 << 20, ["chunked"])
    mirrored = f"head -c {100 << 20} /dev/zero | {_CURL}/mirror -X POST -T - | wc -c"
    assert box.run(mirrored)[1].split() == [str(100 << 20)]
    assert proxy.memory_info().rss - before < 48 << 20


def test_redirects_are_not_followed(box: Box) -> None:
    out = box.curl("/redirect", "-i")
    assert out.startswith("HTTP/1.1 302 ")
    assert "location: http://127.0.0.1:1/stolen" in out.lower()


def test_an_answer_that_is_cut_off_is_seen_to_be(box: Box) -> None:
    assert box.run(f"{_CURL}/cut")[0] == 18  # curl: transfer closed with bytes remaining


def test_the_upstream_hears_when_the_caller_hangs_up(box: Box, upstream: Upstream) -> None:
    upstream.hung_up.clear()
    assert box.run(f"{_CURL}/endless --max-time 1")[0] == 28
    assert upstream.hung_up.wait(5)


def test_websockets_pass(box: Box, upstream: Upstream) -> None:
    status, out = box.run(f"python3 -c '{_WEBSOCKET}'")
    assert (status, out.strip()) == (0, "101 heard hello")
    told = upstream.asked[-1]
    assert _headers(told, "authorization") == [f"Bearer {SECRET}"]
    assert told["target"] == "/base/socket"


def test_many_requests_at_a_time(box: Box) -> None:
    status, out = box.run(f"seq 40 | xargs -P 20 -I @ sh -c '{_CURL}/many?n=@ | grep -o [?]n=@'")
    assert status == 0
    assert sorted(out.split()) == sorted(f"?n={number}" for number in range(1, 41))


def test_the_real_key_is_nowhere_in_the_box(box: Box) -> None:
    box.curl("/use-it")
    assert SECRET not in box.run("env; cat /proc/[0-9]*/environ | tr '\\0' '\\n'")[1]
    assert box.run("env | grep -c '^MODEL=gws_'")[1].strip() == "1"
    found = box.run(f"grep -rlsF '{SECRET}' / --exclude-dir=proc --exclude-dir=sys; true")[1]
    assert found.strip() == ""


def _proxy(server: ServerProcess) -> psutil.Process:
    """The process that carries the calls."""
    children = psutil.Process(server.pid).children(recursive=True)
    return next(one for one in children if "loopyard.gateway_process" in one.cmdline())


_CURL = 'curl -sS -N -H "Authorization: Bearer $MODEL" $MODEL_URL'
_WEBSOCKET = r"""
import os, socket, urllib.parse
host = urllib.parse.urlsplit(os.environ["MODEL_URL"]).hostname
s = socket.create_connection((host, 80), 10)
s.sendall((
    "GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: chat\r\n"
    "Authorization: Bearer " + os.environ["MODEL"] + "\r\n\r\n").encode())
s.sendall(b"\x81\x85\0\0\0\0hello")
got = b""
while b"heard hello" not in got:
    got += s.recv(4096) or exit("hung up: " + repr(got))
assert b"sec-websocket-accept" in got.lower() and b"chat" in got
print(got.split()[1].decode(), got[-11:].decode())
"""
