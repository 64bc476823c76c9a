"""Loads that a server has to bear: `python -m benchmarks.hostile_load KIND PORT KEY DEVBOX EXECUTION`.

It prints "ready" once the load is there, and keeps it up until it is ended.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from h2.config import H2Configuration
from h2.connection import H2Connection

IDLE_STREAMS, HALF_REQUESTS, SLOW_READERS, LONG_ANSWERS, FLOOD_READERS, AT_ONCE = 1000, 1100, 50, 6, 6, 32
LONG_FILE = "/tmp/long"  # noqa: S108  (in the devbox)


@dataclass(frozen=True, slots=True)
class Target:
    port: int
    key: str
    devbox: str
    execution: str
    """A command that runs for long, and writes nothing or without end."""

    async def ask(
        self, method: str, path: str, body: object = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Send a request on a new connection; its answer is not read yet."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 16)
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {self.key}\r\nconnection: close\r\n"
        writer.write(
            f"{head}content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n".encode() + content
        )
        await writer.drain()
        return reader, writer


async def _each(count: int, act: Callable[[], Awaitable[None]]) -> None:
    """Have so many of them go on at once, and say so."""
    tasks = [asyncio.ensure_future(act()) for _ in range(count)]
    await asyncio.sleep(2)
    print("ready", flush=True)
    await asyncio.gather(*tasks)


async def _follow(target: Target) -> None:
    path = f"/v1/devboxes/{target.devbox}/executions/{target.execution}/stream_stdout_updates"
    reader, _writer = await target.ask("GET", path)
    while await reader.read(1 << 16):
        pass


async def idle_streams(target: Target) -> None:
    await _each(IDLE_STREAMS, lambda: _follow(target))


async def half_requests(target: Target) -> None:
    async def hold() -> None:
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
            writer.write(b"POST /v1/devboxes HTTP/1.1\r\nhost: x\r\n")
            with contextlib.suppress(ConnectionError):
                await reader.read()
            writer.close()
            await asyncio.sleep(1)

    await _each(HALF_REQUESTS, hold)


async def _read_long(target: Target, pause: float) -> None:
    while True:
        body = {"file_path": LONG_FILE}
        reader, writer = await target.ask("POST", f"/v1/devboxes/{target.devbox}/read_file_contents", body)
        while await reader.read(1 << 16):  # noqa: ASYNC110  (the pause is how slowly it reads)
            await asyncio.sleep(pause)
        writer.close()


async def slow_readers(target: Target) -> None:
    await _each(SLOW_READERS, lambda: _read_long(target, 1.0))


async def long_answers(target: Target) -> None:
    await _each(LONG_ANSWERS, lambda: _read_long(target, 0.0))


async def floods(target: Target) -> None:
    await _each(FLOOD_READERS, lambda: _follow(target))


async def long_heads(target: Target) -> None:
    async def ask() -> None:
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
            http = H2Connection(H2Configuration())
            http.initiate_connection()
            fields = [(":method", "GET"), (":scheme", "http"), (":authority", "x"), (":path", "/v1/devboxes")]
            writer.write(http.data_to_send())
            http.send_headers(1, [*fields, ("x-long", "a" * 4000)], end_stream=True)
            writer.write(http.data_to_send())
            with contextlib.suppress(ConnectionError):
                await reader.read(1 << 16)
            writer.close()
            await asyncio.sleep(0.05)

    await _each(4, ask)


async def small_commands(target: Target) -> None:
    async def run() -> None:
        while True:
            path = f"/v1/devboxes/{target.devbox}/execute_sync"
            reader, writer = await target.ask("POST", path, {"command": "true"})
            await reader.read()
            writer.close()

    await _each(AT_ONCE, run)


KINDS: dict[str, Callable[[Target], Awaitable[None]]] = {
    "idle streams": idle_streams,
    "half requests": half_requests,
    "slow readers": slow_readers,
    "long answers": long_answers,
    "floods": floods,
    "long heads": long_heads,
    "small commands": small_commands,
}


async def _main(kind: str, port: str, key: str, devbox: str, execution: str) -> None:
    await KINDS[kind](Target(int(port), key, devbox, execution))


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
