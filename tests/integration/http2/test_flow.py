"""Large bodies both ways: whole, and without the server keeping more than a little of them."""

import hashlib
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

import httpx
import psutil
from h2.events import DataReceived, StreamEnded
from runloop_api_client import Runloop

from tests.integration.http2.talking import http2, talking
from tests.serving import ServerProcess

MIB = 1 << 20
SIZE = 200 * MIB


@contextmanager
def memory_bounded(server: ServerProcess, most: int) -> Generator[None]:
    """The server takes no more than so much memory than before, meanwhile."""
    process, over, highest = psutil.Process(server.pid), Event(), [0]
    before = process.memory_info().rss

    def watch() -> None:
        while not over.wait(0.02):
            highest[0] = max(highest[0], process.memory_info().rss)

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    assert highest[0] - before < most, f"{(highest[0] - before) / MIB:.0f} MiB more"


def _pieces(seen: Callable[[bytes], None]) -> Iterator[bytes]:
    for number in range(SIZE // MIB):
        piece = number.to_bytes(4, "big") * (MIB // 4)
        seen(piece)
        yield piece


def test_a_large_object_goes_up_and_down(server: ServerProcess, client: Runloop) -> None:
    made = client.objects.create(name="large", content_type="binary")
    assert made.upload_url is not None
    sent, got = hashlib.sha256(), hashlib.sha256()
    with http2(server) as http, memory_bounded(server, 64 * MIB):
        length = {"Content-Length": str(SIZE)}
        http.put(made.upload_url, content=_pieces(sent.update), headers=length).raise_for_status()
        assert client.objects.complete(made.id).size_bytes == SIZE
        with http.stream("GET", client.objects.download(made.id).download_url) as answer:
            for piece in answer.iter_bytes():
                got.update(piece)
    assert got.digest() == sent.digest()


def test_a_file_goes_into_a_devbox_and_back(server: ServerProcess, devbox_id: str) -> None:
    data = bytes(range(256)) * (16 * MIB // 256)
    with http2(server) as http, memory_bounded(server, 64 * MIB):
        path = f"/v1/devboxes/{devbox_id}"
        http.post(f"{path}/upload_file", data={"path": "large"}, files={"file": data}).raise_for_status()
        assert http.post(f"{path}/download_file", json={"path": "large"}).content == data


def test_a_client_that_reads_slowly_holds_up_nothing_but_itself(server: ServerProcess, client: Runloop) -> None:
    made = client.objects.create(name="slow", content_type="binary")
    assert made.upload_url is not None
    size = 64 * MIB
    httpx.put(made.upload_url, content=b"s" * size).raise_for_status()
    client.objects.complete(made.id)
    url = httpx.URL(client.objects.download(made.id).download_url)
    with talking(server) as talk, memory_bounded(server, 32 * MIB):
        slow = talk.ask(url.raw_path.decode())
        window = talk.h2.local_settings.initial_window_size
        talk.listen(lambda: _size(talk.all(DataReceived, slow)) >= window, take=False)
        talk.socket.settimeout(0.5)
        with suppress(TimeoutError):
            assert not talk.socket.recv(1), "no more comes than was allowed"
        talk.socket.settimeout(30)
        talk.h2.increment_flow_control_window(64 * 1024)  # for others, of the connection
        assert talk.answer(talk.ask())[0] == 200
        talk.h2.increment_flow_control_window(2 * size)
        talk.h2.increment_flow_control_window(2 * size, slow)
        talk.flush()
        time.sleep(0.5)  # the window is open now, yet nobody reads: what holds the server back is the socket
        talk.listen(lambda: bool(talk.all(StreamEnded, slow)), take=False)
        assert _size(talk.all(DataReceived, slow)) == size


def test_a_body_that_nobody_reads_stops_at_its_window(server: ServerProcess, client: Runloop) -> None:
    """Empty frames and frames of one byte take no more room than what they carry."""
    made = client.objects.create(name="tiny", content_type="binary")
    assert made.upload_url is not None
    with talking(server) as talk, memory_bounded(server, 32 * MIB):
        stream = talk.ask(httpx.URL(made.upload_url).raw_path.decode(), "PUT", end=False)
        for _ in range(40):
            for number in range(1000):
                talk.h2.send_data(stream, b"x" if number % 2 else b"")
            talk.flush()
        talk.h2.end_stream(stream)
        talk.flush()
        assert talk.answer(stream)[0] == 200
    assert client.objects.complete(made.id).size_bytes == 20_000


def _size(events: list[DataReceived]) -> int:
    return sum(len(event.data or b"") for event in events)
