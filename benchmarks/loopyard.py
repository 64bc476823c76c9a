"""Drives a Loopyard server as any client would: plain HTTP, on one pool of connections."""

import asyncio
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from benchmarks.http_client import HttpClient
from benchmarks.pieces import pieces
from tests.serving import ServerProcess

_ENDED = ["shutdown", "failure"]
_UNFINISHED = ("queued", "provisioning", "building")
_PAUSE_SECONDS = 0.01
_PIECE_BYTES = 1 << 20
_BOUNDARY = "loopyard-bench-9c1f6f0d"
_PART = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{{name}}"\r\n\r\n'


class Loopyard:
    """One server. Any answer that is not a success raises `aiohttp.ClientResponseError`."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def get(self, path: str, **query: str | int | bool) -> Any:
        return await self._http.ask("GET", path, **query)

    async def post(self, path: str, **body: object) -> Any:
        return await self._http.ask("POST", path, body)

    async def create(self, **params: object) -> str:
        """Make a devbox and wait until it runs. Returns its id.

        Raises:
            RuntimeError: It ended instead.
        """
        made = await self.post("/v1/devboxes", **params)
        return await self.wait_running(made["id"])

    async def wait_running(self, devbox_id: str) -> str:
        devbox = await self.post(f"/v1/devboxes/{devbox_id}/wait_for_status", statuses=["running", *_ENDED])
        if devbox["status"] != "running":
            raise RuntimeError(f"the devbox did not start: {devbox['failure_reason']}")
        return devbox_id

    async def execute(self, devbox_id: str, command: str = "true") -> None:
        result = await self.post(f"/v1/devboxes/{devbox_id}/execute_sync", command=command)
        if result["exit_status"] != 0:
            raise RuntimeError(f"'{command}' ended with {result['exit_status']}: {result['stderr']}")

    async def create_to_first_command(self, **params: object) -> str:
        devbox_id = await self.create(**params)
        await self.execute(devbox_id)
        return devbox_id

    async def build(self, dockerfile: str, **params: object) -> str:
        """Build a blueprint, and wait until it is complete. Returns its id.

        Raises:
            RuntimeError: It failed.
        """
        made = await self.post("/v1/blueprints", name="bench", dockerfile=dockerfile, **params)
        while made["status"] in _UNFINISHED:
            await asyncio.sleep(_PAUSE_SECONDS)
            made = await self.get(f"/v1/blueprints/{made['id']}")
        if made["status"] != "build_complete":
            raise RuntimeError(f"the blueprint was not built: {made['failure_reason']}")
        return made["id"]

    async def build_folder(self, folder: Path) -> str:
        """Build the Dockerfile in a folder, with the folder as its context, which is sent as an archive."""
        made = await self.post("/v1/objects", name="bench", content_type="tar")
        async with _packed(folder) as archive:
            await self._http.send("PUT", _path(made["upload_url"]), archive, "application/x-tar")
        await self.post(f"/v1/objects/{made['id']}/complete")
        context = {"type": "object", "object_id": made["id"]}
        blueprint = await self.build((folder / "Dockerfile").read_text(), build_context=context)
        await self.post(f"/v1/objects/{made['id']}/delete")
        return blueprint

    async def read_events(self, path: str) -> int:
        """Read a stream of output to its end. Returns the bytes of output in it."""
        moved = 0
        line: list[bytes] = []
        async for piece in self._http.read("GET", path):
            first, *others = piece.split(b"\n")
            line.append(first)
            for begun in others:
                whole = b"".join(line)
                line = [begun]
                if whole.startswith(b"data: "):
                    moved += len(orjson.loads(whole[6:])["output"].encode())
        return moved

    async def upload(self, devbox_id: str, path: str, size: int) -> int:
        """Write a file of so many bytes."""
        head = _PART.format(name="path").encode() + path.encode() + b"\r\n"
        head += _PART.format(name='file"; filename="file').encode()

        async def body() -> AsyncIterator[bytes]:
            yield head
            for piece in pieces(size):
                yield piece
            yield f"\r\n--{_BOUNDARY}--\r\n".encode()

        kind = f"multipart/form-data; boundary={_BOUNDARY}"
        await self._http.send("POST", f"/v1/devboxes/{devbox_id}/upload_file", body(), kind)
        return size

    async def download(self, devbox_id: str, path: str) -> int:
        """Read a file to its end. Returns its bytes."""
        moved = 0
        async for piece in self._http.read("POST", f"/v1/devboxes/{devbox_id}/download_file", {"path": path}):
            moved += len(piece)
        return moved

    async def shut_down_all(self) -> None:
        """End every devbox, and wait until all have ended."""
        running = [
            devbox["id"]
            for devbox in (await self.get("/v1/devboxes", limit=5000))["devboxes"]
            if devbox["status"] not in _ENDED
        ]
        await asyncio.gather(*(self._shut_down(devbox_id) for devbox_id in running))

    async def _shut_down(self, devbox_id: str) -> None:
        await self.post(f"/v1/devboxes/{devbox_id}/shutdown")
        await self.post(f"/v1/devboxes/{devbox_id}/wait_for_status", statuses=_ENDED)


@asynccontextmanager
async def _packed(folder: Path) -> AsyncGenerator[AsyncIterator[bytes]]:
    """The archive of a folder, as it is packed."""
    process = await asyncio.create_subprocess_exec(
        "tar", "--create", f"--directory={folder}", ".", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    stream = process.stdout

    async def read() -> AsyncIterator[bytes]:
        while piece := await stream.read(_PIECE_BYTES):
            yield piece

    try:
        yield read()
    finally:
        if await process.wait() != 0:
            raise RuntimeError(f"{folder} could not be packed")


def _path(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


@asynccontextmanager
async def connected(server: ServerProcess) -> AsyncGenerator[Loopyard]:
    """A client of a server that runs."""
    http = HttpClient(server.base_url, {"Authorization": f"Bearer {server.api_key}"})
    try:
        yield Loopyard(http)
    finally:
        await http.close()
