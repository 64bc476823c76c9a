"""Streams of events: from any sequence, at any pace, and never with a clean end."""

import contextlib
import socket
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager

import httpx
import pytest
from runloop_api_client import APIStatusError, Runloop, omit
from runloop_api_client.types import AxonEventView

from tests.serving import ServerProcess

MIB = 1024**2


def _publish(client: Runloop, axon: str, payload: str = "{}") -> int:
    return client.axons.publish(axon, event_type="t", origin="USER_EVENT", payload=payload, source="s").sequence


class _Subscriber:
    """Reads a subscription in a thread."""

    def __init__(self, client: Runloop, axon: str, after: int | None = None) -> None:
        self._stream = client.axons.subscribe_sse(axon, after_sequence=omit if after is None else after)
        self.events: list[AxonEventView] = []
        self.error: APIStatusError | None = None
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for one in self._stream:
                with self._changed:
                    self.events.append(one)
                    self._changed.notify_all()
        except APIStatusError as error:
            self.error = error
        except Exception:
            if not self._is_closed:
                raise

    def wait_for(self, count: int) -> list[int]:
        """The sequences, once there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.events) >= count, 20), self.events
        return [one.sequence for one in self.events]

    def wait_end(self) -> APIStatusError | None:
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.error

    def close(self) -> None:
        self._is_closed = True
        self._stream.close()


def test_a_subscription_replays_and_goes_on(client: Runloop, axon: str) -> None:
    for number in range(3):
        _publish(client, axon, str(number))
    with closing(_Subscriber(client, axon)) as whole, closing(_Subscriber(client, axon, 2)) as late:
        assert whole.wait_for(3) == [1, 2, 3]
        assert late.wait_for(1) == [3]
        for number in range(3, 6):
            _publish(client, axon, str(number))
        assert whole.wait_for(6) == [1, 2, 3, 4, 5, 6]
        assert late.wait_for(4) == [3, 4, 5, 6]
        assert [one.payload for one in whole.events] == ["0", "1", "2", "3", "4", "5"]


def test_a_subscription_of_the_future_waits_for_it(client: Runloop, axon: str) -> None:
    with closing(_Subscriber(client, axon, 2)) as subscriber:
        for _ in range(4):
            _publish(client, axon)
        assert subscriber.wait_for(2) == [3, 4]


def test_it_ends_with_404_when_the_axon_is_deleted(client: Runloop, axon: str) -> None:
    subscriber = _Subscriber(client, axon)
    _publish(client, axon)
    subscriber.wait_for(1)
    client.axons.delete(axon)
    error = subscriber.wait_end()
    assert error is not None
    assert error.status_code == 404


def test_a_negative_sequence_is_refused(http: httpx.Client, axon: str) -> None:
    answer = http.get(f"/v1/axons/{axon}/subscribe/sse", params={"after_sequence": -1})
    assert (answer.status_code, answer.json()["field"]) == (400, "after_sequence")


@contextmanager
def _silent_reader(server: ServerProcess, axon: str) -> Generator[None]:
    """A subscriber that reads nothing."""
    with socket.create_connection(("127.0.0.1", int(server.base_url.rpartition(":")[2]))) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lines = (
            f"GET /v1/axons/{axon}/subscribe/sse HTTP/1.1",
            "Host: localhost",
            f"Authorization: Bearer {server.api_key}",
            "\r\n",
        )
        connection.sendall("\r\n".join(lines).encode())
        yield


def test_slow_readers_hold_up_nobody_and_cost_no_memory(server: ServerProcess, client: Runloop, axon: str) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(_silent_reader(server, axon))
        quick = stack.enter_context(closing(_Subscriber(client, axon)))
        _publish(client, axon)
        quick.wait_for(1)
        before = _resident_bytes(server)
        for _ in range(30):
            _publish(client, axon, "x" * MIB)
        assert quick.wait_for(31) == list(range(1, 32))
        assert _resident_bytes(server) - before < 20 * 30 * MIB / 4, (
            "each reader that is slow holds what it has not read"
        )


def _resident_bytes(server: ServerProcess) -> int:
    with open(f"/proc/{server.pid}/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * 4096


def test_it_ends_with_408_when_the_server_does(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = ServerProcess(tmp_path_factory.mktemp("ending") / "data").start()
    client = server.client(max_retries=0)
    axon = client.axons.create().id
    subscribers = [_Subscriber(client, axon) for _ in range(5)]
    _publish(client, axon)
    for subscriber in subscribers:
        subscriber.wait_for(1)
    server.stop()
    for subscriber in subscribers:
        error = subscriber.wait_end()
        assert error is not None
        assert error.status_code == 408
