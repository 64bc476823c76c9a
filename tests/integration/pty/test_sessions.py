"""Terminal sessions in real boxes: the API's calls by the official client, the terminal itself over WebSocket."""

import hashlib
import json
import time

import httpx
import pytest
from runloop_api_client import APIStatusError, AuthenticationError, BadRequestError, NotFoundError, Runloop
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.integration.devbox.tunnel.services import name as tunnel_name
from tests.integration.devbox.tunnel.services import until
from tests.integration.pty.conftest import Terminals
from tests.serving import ServerProcess, serving


def test_a_session_is_a_shell_on_a_terminal(terminals: Terminals) -> None:
    made = terminals.client.pty.connect("first", cols=100, rows=30)
    assert made.created
    assert not made.attached
    assert (made.cols, made.rows, made.session_name, made.status) == (100, 30, "first", "running")
    assert made.connect_url == "/pty/first/attach"
    assert made.idle_ttl_seconds == 600
    assert made.protocol_version == "1"
    with terminals.open("first") as window:
        window.type("PS1='ready> '; stty size; id -un; pwd; echo term=$TERM=\n")
        window.shows("30 100\r\n")
        window.shows("user\r\n/home/user\r\n")
        window.shows("term=xterm-256color=")
        assert terminals.client.pty.connect("first").attached
        window.type("exit 3\n")
        with pytest.raises(ConnectionClosed) as closed:
            window.shows("never")
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1000, "the shell exited with 3")
    again = terminals.client.pty.connect("first")
    assert again.created, "a session that has ended is made anew"
    assert (again.cols, again.rows) == (80, 24)
    terminals.client.pty.control("first", action="close")


def test_a_session_outlasts_its_connection_and_replays_what_it_showed(terminals: Terminals) -> None:
    terminals.client.pty.connect("kept")
    with terminals.open("kept") as window:
        window.type("PS1=; mine=yes; echo first-$((1+1))\n")
        window.shows("first-2")
        window.type("(sleep 1; echo in-the-mean-$((1+1))) &\n")
        window.shows("\n")
    time.sleep(1.5)
    reached = terminals.client.pty.connect("kept")
    assert not reached.created
    assert not reached.attached
    with terminals.open("kept") as window:
        window.shows("first-2")
        window.shows("in-the-mean-2")
        window.type("echo mine=$mine=\n")
        window.shows("mine=yes=")
    terminals.client.pty.control("kept", action="close")


def test_only_the_last_output_is_replayed_from_the_start_of_a_line(terminals: Terminals) -> None:
    terminals.client.pty.connect("long")
    with terminals.open("long") as window:
        window.type("PS1=; seq -f 'line-%06g-' 1 60000; echo fin''ished\n")
        window.shows("finished", 60)
    with terminals.open("long") as window:
        replayed = window.shows("finished")
    assert 200 * 1024 < len(replayed) <= 256 * 1024
    lines = replayed.split(b"\r\n")
    assert lines[0].startswith(b"line-0")
    assert len(lines[0]) == len("line-000001-")
    terminals.client.pty.control("long", action="close")


def test_several_look_at_one_session_and_each_may_type_but_who_only_looks(terminals: Terminals) -> None:
    terminals.client.pty.connect("shared")
    with (
        terminals.open("shared") as one,
        terminals.open("shared") as two,
        terminals.open("shared", "?view=true") as looking,
    ):
        one.type("PS1=; echo from-$((0+1))\n")
        for window in (one, two, looking):
            window.shows("from-1")
        two.type("echo from-$((1+1))\n")
        for window in (one, two, looking):
            window.shows("from-2")
        looking.type("echo from-$((1+2))\n")
        one.type("echo from-$((2+2))\n")
        for window in (one, two, looking):
            assert b"from-3" not in window.shows("from-4")
    terminals.client.pty.control("shared", action="close")


def test_a_resize_reaches_what_runs(terminals: Terminals) -> None:
    terminals.client.pty.connect("size")
    with terminals.open("size") as window:
        window.type("PS1=; trap 'stty size' WINCH; echo re''ady\n")
        window.shows("ready")
        result = terminals.client.pty.control("size", action="resize", rows=41, cols=141)
        assert (result.session_name, result.status) == ("size", "running")
        window.type("\n")
        window.shows("41 141")
        terminals.client.pty.connect("size", rows=20, cols=70)
        window.type("trap - WINCH; stty size\n")
        window.shows("20 70")
        ignored = terminals.client.pty.connect("size", rows=0, cols=70)
        assert (ignored.rows, ignored.cols) == (20, 70)
    terminals.client.pty.control("size", action="close")


def test_signals_reach_the_foreground(terminals: Terminals) -> None:
    terminals.client.pty.connect("signals")
    with terminals.open("signals") as window:
        window.type("PS1=; echo re''ady; sleep 1000; echo status=$?\n")
        window.shows("ready")
        time.sleep(0.5)
        terminals.client.pty.control("signals", action="signal", signal="SIGTERM")
        window.shows("status=143")
        window.type("sleep 1000; echo status=$?\n")
        time.sleep(0.5)
        window.type("\x03")
        window.type("echo status=$?\n")
        window.shows("status=130")
    terminals.client.pty.control("signals", action="close")


def test_a_closed_session_ends_what_ran_in_it(terminals: Terminals) -> None:
    terminals.client.pty.connect("closing")
    with terminals.open("closing") as window:
        window.type("exec -a in-the-closed-session sleep 1000\n")
        time.sleep(0.5)
        assert terminals.client.pty.control("closing", action="close").status == "closed"
        with pytest.raises(ConnectionClosed) as closed:
            window.shows("never")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    with pytest.raises(NotFoundError):
        terminals.client.pty.control("closing", action="close")
    with pytest.raises(InvalidStatus) as refused:
        terminals.open("closing")
    assert refused.value.response.status_code == 404

    def gone() -> bool:
        listing = terminals.client.devboxes.execute(terminals.devbox_id, command="pgrep -f '^[i]n-the-closed-session'")
        return listing.exit_status == 1

    until(60, gone)


def test_much_output_comes_whole_to_a_slow_reader(terminals: Terminals) -> None:
    terminals.client.pty.connect("much")
    with terminals.open("much") as window:
        window.type("PS1=; stty -onlcr; echo be''gin; head -c 20000000 /dev/zero | tr '\\0' x; echo fin''ished\n")
        window.shows("begin\n")
        time.sleep(2)
        assert window.shows("finished", 300) == b"x" * 20_000_000
    terminals.client.pty.control("much", action="close")


def test_who_takes_no_output_is_let_go_and_holds_nobody_up(terminals: Terminals) -> None:
    terminals.client.pty.connect("pace")
    with terminals.open("pace") as slow, terminals.open("pace") as window:
        window.type("PS1=; stty -onlcr; echo be''gin; head -c 50000000 /dev/zero | tr '\\0' x; echo fin''ished\n")
        window.shows("begin\n")
        assert window.shows("finished", 60) == b"x" * 50_000_000
        with pytest.raises(ConnectionClosed) as closed:
            slow.shows("finished")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013
    with terminals.open("pace") as again:
        again.shows("finished")
    terminals.client.pty.control("pace", action="close")


def test_much_input_arrives_whole(terminals: Terminals) -> None:
    terminals.client.pty.connect("typed")
    with terminals.open("typed") as window:
        window.type("PS1=; stty -echo; echo re''ady; sha256sum | head -c 16; echo =\n")
        window.shows("ready")
        text = "".join(f"line {number}\n" for number in range(20_000))
        window.type(text)
        window.type("\x04")
        window.shows(hashlib.sha256(text.encode()).hexdigest()[:16] + "=", 60)
    terminals.client.pty.control("typed", action="close")


def test_the_tunnels_own_name_leads_to_the_same_sessions(terminals: Terminals) -> None:
    host = tunnel_name(terminals.tunnel_key, 8080)
    headers = {"Host": host, "X-Runloop-Tunnel-Authorization": f"Bearer {terminals.token}"}
    url = terminals.server.base_url
    assert httpx.get(f"{url}/pty/by-name", headers=headers).json()["created"]
    assert not terminals.client.pty.connect("by-name").created
    with terminals.open("by-name", host=host) as window:
        window.type("echo re''ached\n")
        window.shows("reached")
    assert httpx.get(f"{url}/v1/devboxes", headers=headers).status_code == 404, "it leads to terminals and nothing else"
    other = terminals.client.devboxes.create_pty_tunnel(terminals.devbox_id)
    wrong = {**headers, "Host": tunnel_name(other.tunnel_key, 8080)}
    assert httpx.get(f"{url}/pty/by-name", headers=wrong).status_code == 401
    terminals.client.pty.control("by-name", action="close")


@pytest.mark.parametrize("token", [None, "wrong", "own key"])
def test_without_the_right_token_nothing_is_reached(terminals: Terminals, token: str | None) -> None:
    terminals.client.pty.connect("guarded")
    given = terminals.server.api_key if token == "own key" else token
    headers = {} if given is None else {"X-Runloop-Tunnel-Authorization": f"Bearer {given}"}
    with pytest.raises(AuthenticationError):
        terminals.server.client(default_headers=headers).pty.connect("guarded")
    with pytest.raises(AuthenticationError):
        terminals.server.client(default_headers=headers).pty.control("guarded", action="close")
    with pytest.raises(InvalidStatus) as refused:
        terminals.open("guarded", token=given or "none")
    assert refused.value.response.status_code == 401
    assert json.loads(refused.value.response.body or b"")["code"] == "unauthorized"


def test_a_token_opens_its_own_devbox_only(terminals: Terminals) -> None:
    client = terminals.server.client()
    devbox = client.devboxes.create_and_await_running()
    other = Terminals.of(terminals.server, devbox.id)
    terminals.client.pty.connect("same-name")
    assert other.client.pty.connect("same-name").created
    with other.open("same-name") as window:
        window.type("echo re''ached\n")
        window.shows("reached")
        client.devboxes.shutdown(devbox.id)
        with pytest.raises(ConnectionClosed):
            window.shows("never")
    with pytest.raises(AuthenticationError):
        other.client.pty.connect("same-name")
    assert not terminals.client.pty.connect("same-name").created
    terminals.client.pty.control("same-name", action="close")


def test_errors_of_callers(terminals: Terminals, client: Runloop) -> None:
    pty = terminals.client.pty
    with pytest.raises(NotFoundError):
        client.devboxes.create_pty_tunnel("dbx_none")
    with pytest.raises(NotFoundError):
        pty.control("never-made", action="close")
    for name in ("a b", "ü", "a" * 257, "a.b"):
        with pytest.raises(BadRequestError) as refused:
            pty.connect(name)
        assert refused.value.body["field"] == "session_name"  # type: ignore[index, call-overload]
    pty.connect("errors")
    wrong: list[tuple[dict[str, object], str]] = [
        ({}, "action"),
        ({"action": "jump"}, "action"),
        ({"action": "resize", "rows": 10}, "cols"),
        ({"action": "resize", "rows": 0, "cols": 10}, "rows"),
        ({"action": "resize", "rows": 10, "cols": 1001}, "cols"),
        ({"action": "signal"}, "signal"),
        ({"action": "signal", "signal": "SIGNOTHING"}, "signal"),
    ]
    for body, field in wrong:
        with pytest.raises(BadRequestError) as refused:
            pty.control("errors", extra_body=body)
        assert refused.value.body["field"] == field, body  # type: ignore[index, call-overload]
    ended = client.devboxes.create()
    client.devboxes.shutdown(ended.id)
    with pytest.raises(APIStatusError) as conflict:
        client.devboxes.create_pty_tunnel(ended.id)
    assert conflict.value.status_code == 409
    pty.control("errors", action="close")


def test_a_session_nobody_is_attached_to_ends_in_time_and_with_the_server(server: ServerProcess) -> None:
    data = server.data_dir.with_name("pty-data")
    env = {"LOOPYARD_PTY__IDLE_TTL_SECONDS": "5", "LOOPYARD_PTY__MOST_SESSIONS": "2"}
    with serving(data, env=env) as own:
        devbox = own.client().devboxes.create_and_await_running()
        terminals = Terminals.of(own, devbox.id)
        assert terminals.client.pty.connect("short").idle_ttl_seconds == 5
        with terminals.open("short") as window:
            time.sleep(6)
            window.type("echo st''ill\n")
            window.shows("still")
        until(30, lambda: terminals.client.pty.connect("short").created)
        terminals.client.pty.connect("second")
        with pytest.raises(BadRequestError):
            terminals.client.pty.connect("third")
        with terminals.open("second") as window:
            window.type("echo re''ady; exec -a in-a-lost-session sleep 1000\n")
            window.shows("ready")
            time.sleep(0.5)
            own.kill()
        own.start(env)
        listing = own.client().devboxes.execute(devbox.id, command="sleep 0.5; pgrep -af '[i]n-a-lost-session'")
        assert listing.exit_status == 1, listing.stdout
        headers = {"X-Runloop-Tunnel-Authorization": f"Bearer {terminals.token}"}
        after = own.client(default_headers=headers).pty.connect("second")
        assert after.created, "the token is good still, and the session new"
