"""Calls of an upstream through the gateway, beside the same without it, from inside of a devbox."""

import asyncio
import json
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.context import Context
from benchmarks.loopyard import Loopyard, connected
from benchmarks.result import Measure, Series, timed
from tests.serving import serving

_CLIENT = r"""
import json, os, socket, sys, threading, time
kind, way, count, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
if way == "direct":
    routes = [line.split() for line in open("/proc/net/route").read().splitlines()[1:]]
    gateway = [route[2] for route in routes if route[1] == "0" * 8]
    host, port = socket.inet_ntoa(bytes.fromhex(gateway[0])[::-1]), int(sys.argv[5])
else:
    host, port = os.environ["UP_URL"].split("/")[2], 80
ask = "GET /%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n"
def connect():
    s = socket.create_connection((host, port)); s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1); return s
def head(s, path):
    s.sendall((ask % (path, os.environ["UP"])).encode()); return s.recv(1 << 16)
out = []
if kind == "first":
    s = connect()
    for number in range(count + 20):
        t = time.perf_counter()
        got = head(s, "first")
        out.append((time.perf_counter() - t) * 1000)
        assert b" 200 " in got, got
        while not got.endswith(b"ok"): got += s.recv(100)
    out = out[20:]
elif kind == "large":
    buffer = bytearray(1 << 20)
    for number in range(count + 1):
        s = connect(); t = time.perf_counter(); first = head(s, "large/%d" % size)
        got = len(first) - first.index(b"\r\n\r\n") - 4
        while got < size << 20: got += s.recv_into(buffer)
        out.append((size << 20) / 1e6 / (time.perf_counter() - t)); s.close()
    out = out[1:]
else:
    def read():
        s = connect(); got = head(s, "events/%d" % size)
        while not got.endswith(b"0\r\n\r\n"): got = got[-5:] + (s.recv(1 << 16) or sys.exit("cut off"))
        out.append(1)
    threads = [threading.Thread(target=read) for _ in range(count)]
    [t.start() for t in threads]; [t.join() for t in threads]
print(json.dumps(out))
"""


@dataclass(frozen=True, slots=True)
class _Ground:
    loopyard: Loopyard
    port: int
    """The upstream's."""
    config: str
    secret: str

    async def box(self) -> str:
        return await self.loopyard.create(gateways={"UP": {"gateway": self.config, "secret": self.secret}})

    async def run(self, devbox: str, *arguments: object) -> list[float]:
        """What the client in a devbox has measured."""
        told = shlex.join(["python3", "-c", _CLIENT, *map(str, arguments), str(self.port)])
        done: dict[str, Any] = await self.loopyard.post(f"/v1/devboxes/{devbox}/execute_sync", command=told)
        if done["exit_status"] != 0:
            raise RuntimeError(done["stderr"])
        return json.loads(done["stdout"])


async def gateway(context: Context) -> list[Measure]:
    """The first byte, a streamed body, and commands elsewhere while many streams are open."""
    counts = context.counts
    async with _ground() as ground:
        box = await ground.box()
        ways = [("direct", "without it"), ("gateway", "gateway")]
        first = {way: await ground.run(box, "first", way, counts.execute, 0) for way, _ in ways}
        large = {way: await ground.run(box, "large", way, counts.transfers, counts.stream_mib) for way, _ in ways}
        beside, errors = await _beside_streams(ground, counts.gateway_boxes, counts.gateway_seconds, counts.execute)
    series = [Series("loopyard", how, first[way]) for way, how in reversed(ways)]
    rates = [Series("loopyard", how, large[way]) for way, how in reversed(ways)]
    streams = counts.gateway_boxes * _STREAMS
    title = f"execute_sync beside {streams} streams of {counts.gateway_boxes} boxes"
    return [
        Measure("gateway-first", "first byte of an upstream's answer", series, reference=1, note=_ADDED),
        Measure("gateway-large", f"streamed body, {counts.stream_mib} MiB", rates, unit="MB/s", reference=1, aim=200),
        Measure("gateway-streams", title, [Series("loopyard", "HTTP", beside, errors=errors)], aim=15),
    ]


_STREAMS = 4
_ADDED = "the gateway may add 2 ms to the median"


async def _beside_streams(ground: _Ground, boxes: int, seconds: int, count: int) -> tuple[list[float], list[str]]:
    """Commands in one devbox while others have streams open."""
    quiet = await ground.box()
    readers = [await ground.box() for _ in range(boxes)]
    streams = asyncio.gather(
        *(ground.run(box, "events", "gateway", _STREAMS, seconds * 10) for box in readers), return_exceptions=True
    )
    await asyncio.sleep(2)
    samples = await timed(count, lambda: ground.loopyard.execute(quiet))
    whole = not streams.done()
    ended = await streams
    errors = sorted({repr(one) for one in ended if isinstance(one, BaseException)})
    if not whole:
        errors.append("the streams ended before the last command")
    return samples, errors


@asynccontextmanager
async def _ground() -> AsyncGenerator[_Ground]:
    """A server of this measure's own, since the upstream's port has to be opened to its devboxes."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    env = {
        "LOOPYARD_RUNTIME__READY_SANDBOXES": "0",
        "LOOPYARD_RUNTIME__OPEN_HOST_PORTS": f"[{port}]",
        "LOOPYARD_GATEWAY__ALLOWED_NETWORKS": '["127.0.0.0/8"]',
    }
    command = [sys.executable, "-m", "benchmarks.upstream", str(port)]
    with (
        tempfile.TemporaryDirectory(prefix="loopyard-bench-") as folder,
        subprocess.Popen(command, stdout=subprocess.PIPE) as upstream,  # noqa: ASYNC220
        serving(Path(folder) / "gateway", env=env) as server,
    ):
        try:
            assert upstream.stdout is not None
            upstream.stdout.readline()
            async with connected(server) as loopyard:
                secret = await loopyard.post("/v1/secrets", name="UPSTREAM", value="key")
                config = await loopyard.post(
                    "/v1/gateway-configs",
                    name="upstream",
                    endpoint=f"http://127.0.0.1:{port}",
                    auth_mechanism={"type": "bearer"},
                )
                yield _Ground(loopyard, port, config["id"], secret["id"])
                await loopyard.shut_down_all()
        finally:
            upstream.terminate()
