"""A socket in the data folder by which the command line asks the server that runs there: its owner's alone.

One line of JSON each way: `{"act": "hello"}`, `{"act": "gc", "dry_run": false}`.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from loopyard.upkeep.sweep import Sweep

_NAME = "control"
_ANSWER_SECONDS = 3600
_MOST_BYTES = 64 << 20


class Control:
    def __init__(self, data: Path, sweep: Sweep) -> None:
        self._data = data
        self._sweep = sweep

    async def run(self) -> None:
        """Answer for ever. The data folder is held, so a socket that is there is of a server that was killed."""
        with _within(self._data) as path, socket.socket(socket.AF_UNIX) as listener:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108
            listener.bind(path)
            listener.setblocking(False)
            server = await asyncio.start_unix_server(self._answer, sock=listener)
            async with server:
                await server.serve_forever()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            try:
                answer = await self._act(json.loads(await reader.readline() or b"{}"))
            except ValueError:
                answer = {"error": "not understood"}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def _act(self, request: dict[str, Any]) -> dict[str, Any]:
        if request.get("act") == "hello":
            return {"pid": os.getpid()}
        if request.get("act") == "gc":
            found = await (self._sweep.look() if request.get("dry_run") else self._sweep.free())
            return {"leftovers": [asdict(one) for one in found]}
        return {"error": "not understood"}


def ask(data: Path, **request: Any) -> dict[str, Any] | None:
    """Ask the server over this data folder; None if none runs."""
    with socket.socket(socket.AF_UNIX) as connection, _within(data) as path:
        connection.settimeout(_ANSWER_SECONDS)
        try:
            connection.connect(path)
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as answers:
                answer = answers.readline(_MOST_BYTES)
        except (FileNotFoundError, ConnectionError):
            return None
    return json.loads(answer) if answer else None


@contextmanager
def _within(data: Path) -> Generator[str]:
    """The socket's path, short enough for any data folder: a socket's address has 107 characters."""
    folder = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{_NAME}"
    finally:
        os.close(folder)
