"""What no client should do harms nobody but its own connection."""

import struct
from contextlib import suppress

import httpx
import pytest
from h2.errors import ErrorCodes
from h2.events import RemoteSettingsChanged, ResponseReceived
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hyperframe.frame import DataFrame, Frame, PingFrame, SettingsFrame, WindowUpdateFrame

from loopyard.http2.connection import CALLS, MOST_STREAMS, RESETS
from tests.integration.http2.talking import Talk, talking
from tests.serving import ServerProcess


def _still_serves(server: ServerProcess) -> None:
    with talking(server) as talk:
        assert talk.answer(talk.ask())[0] == 200
    assert httpx.get(f"{server.base_url}/healthz").status_code == 200


def _request(talk: Talk, **changes: str | None) -> int:
    """Ask with pseudo-headers that are changed, or not there."""
    stream = talk.h2.get_next_available_stream_id()
    named = dict(talk.head("/healthz")) | {f":{name}": value for name, value in changes.items()}
    talk.h2.send_headers(stream, [(name, value) for name, value in named.items() if value is not None], end_stream=True)
    talk.flush()
    return stream


def test_thousands_of_requests_that_are_taken_back_end_the_connection(server: ServerProcess) -> None:
    with talking(server) as talk:
        try:
            for _ in range(RESETS * 3):
                stream = talk.h2.get_next_available_stream_id()
                talk.h2.send_headers(stream, talk.head("/v1/devboxes"), end_stream=True)
                talk.h2.reset_stream(stream, ErrorCodes.CANCEL)
                if len(talk.h2._data_to_send) > 1 << 14:  # pyright: ignore[reportPrivateUsage]
                    talk.flush()
            talk.flush()
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has closed already
        talk.listen_to_end()
        assert not talk.all(ResponseReceived)
    assert "a client takes back too many requests" in server.log
    _still_serves(server)


def test_some_requests_may_be_taken_back(server: ServerProcess) -> None:
    with talking(server) as talk:
        for _ in range(RESETS // 2):
            talk.h2.reset_stream(talk.ask(), ErrorCodes.CANCEL)
        talk.flush()
        assert talk.answer(talk.ask())[0] == 200


def test_more_streams_than_allowed_end_the_connection(server: ServerProcess) -> None:
    with talking(server) as talk:
        talk.listen(lambda: talk.h2.remote_settings.max_concurrent_streams == MOST_STREAMS)
        talk.h2.remote_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = 10_000
        talk.h2.remote_settings.acknowledge()
        for _ in range(MOST_STREAMS + 1):
            stream = talk.h2.get_next_available_stream_id()
            talk.h2.send_headers(stream, talk.head("/v1/objects", "POST"))
        talk.flush()
        talk.goodbye()
    _still_serves(server)


@pytest.mark.parametrize("name", ["path", "method", "scheme", "authority"])
def test_a_request_without_a_needed_part_is_refused(server: ServerProcess, name: str) -> None:
    with talking(server) as talk:
        _request(talk, **{name: None})
        assert talk.goodbye() == ErrorCodes.PROTOCOL_ERROR
    _still_serves(server)


@pytest.mark.parametrize(
    "changes",
    [
        {"path": "healthz"},
        {"path": "http://elsewhere/healthz"},
        {"path": "/a b HTTP/1.1"},
        {"path": "/#x"},
        {"path": "/é"},
        {"method": "GET /x HTTP/1.1"},
        {"method": "CONNECT", "path": None, "scheme": None},
    ],
    ids=str,
)
def test_a_head_that_http_1_could_not_say_is_refused_alone(
    server: ServerProcess, changes: dict[str, str | None]
) -> None:
    with talking(server) as talk:
        assert talk.reset_of(_request(talk, **changes)) == ErrorCodes.PROTOCOL_ERROR
        assert talk.answer(talk.ask())[0] == 200


@pytest.mark.parametrize("count", [1, 40])
def test_oversized_headers_end_the_connection(server: ServerProcess, count: int) -> None:
    with talking(server) as talk:
        stream = talk.h2.get_next_available_stream_id()
        more = [(f"x-{number}", "v" * (80_000 // count)) for number in range(count)]
        talk.h2.send_headers(stream, [*talk.head("/healthz"), *more], end_stream=True)
        talk.flush()
        assert talk.goodbye() == ErrorCodes.ENHANCE_YOUR_CALM
    _still_serves(server)


@pytest.mark.parametrize("frame", [PingFrame(0, opaque_data=b"12345678"), SettingsFrame(0)], ids=["ping", "settings"])
def test_thousands_of_frames_that_need_an_answer_end_the_connection(server: ServerProcess, frame: Frame) -> None:
    with talking(server) as talk:
        talk.listen(lambda: bool(talk.all(RemoteSettingsChanged)))
        with suppress(ConnectionError):
            talk.socket.sendall(frame.serialize() * CALLS * 2)
        with suppress(ProtocolError):  # it has answered what our own state knows nothing of
            talk.listen_to_end()
    assert "a client sends too many pings or settings" in server.log
    _still_serves(server)


def test_a_window_that_is_taken_back_and_given_again_stops_and_starts_the_answer(server: ServerProcess) -> None:
    with talking(server) as talk:
        talk.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 10})
        talk.flush()
        stream = talk.ask("/openapi.json")
        talk.listen(lambda: bool(talk.all(ResponseReceived, stream)), take=False)
        talk.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})  # 10 have been sent: the window is -10
        talk.flush()
        assert talk.answer(talk.ask("/healthz", "HEAD"))[0] == 405  # has no body, so needs no window
        talk.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1 << 24})
        talk.flush()
        status, body = talk.answer(stream)
        assert (status, body) == (200, httpx.get(f"{server.base_url}/openapi.json").content)


@pytest.mark.parametrize(
    "frame",
    [
        DataFrame(1, data=b"nobody asked for this"),
        WindowUpdateFrame(0, window_increment=(1 << 31) - 1),
        WindowUpdateFrame(7, window_increment=1),
    ],
    ids=repr,
)
def test_frames_out_of_place_end_the_connection(server: ServerProcess, frame: Frame) -> None:
    with talking(server) as talk:
        talk.socket.sendall(frame.serialize())
        assert talk.goodbye() in (ErrorCodes.PROTOCOL_ERROR, ErrorCodes.STREAM_CLOSED, ErrorCodes.FLOW_CONTROL_ERROR)
    _still_serves(server)


def test_any_frame_with_any_content_is_borne(server: ServerProcess) -> None:
    """Each kind of frame, on a stream and on none, too short, long, and with every flag."""
    for kind in range(12):
        for stream in (0, 1, 2):
            for size in (0, 1, 5, 8, 300):
                with talking(server) as talk:
                    body = b"\x01" * size
                    frame = struct.pack(">I", size)[1:] + bytes([kind, 0xFF]) + struct.pack(">I", stream) + body
                    talk.socket.sendall(frame)
    assert "protocol.data_received() call failed" not in server.log, server.log[-3000:]
    _still_serves(server)
