"""Drives an engine by the HTTP API that docker and podman share, over its socket, and by its command line."""

import asyncio
import subprocess
import tarfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

from benchmarks.http_client import HttpClient
from benchmarks.pieces import pieces
from benchmarks.result import Subject

IMAGE = "loopyard-bench"
COMMITTED = "loopyard-bench-committed"
_API = "/v1.40"
_SHELL = ("bash", "-c")

# The limits of a devbox of the default size, so that both sides do the same work.
_MEMORY_BYTES = 2 * 1024**3
_PIDS = 4096
_FILES = 1024


class EngineError(Exception):
    """The engine did not do what was asked; the message is its own."""


@dataclass(frozen=True)
class Engine:
    """A running engine with the image `IMAGE` in it. `command` is its command line, up to the name of a subcommand;
    `holder` the id of the process from which all of its processes descend."""

    subject: Subject
    version: str
    command: Sequence[str | Path]
    http: HttpClient
    holder: int

    async def create(self, image: str = IMAGE) -> str:
        """Make and start a container that idles, in the engine's usual network. Returns its id."""
        limits = {
            "Memory": _MEMORY_BYTES,
            "NanoCpus": 1_000_000_000,
            "PidsLimit": _PIDS,
            "Init": False,
            "Ulimits": [
                {"Name": "nofile", "Soft": _FILES, "Hard": _FILES},
                {"Name": "nproc", "Soft": _PIDS, "Hard": _PIDS},
            ],
        }
        body = {"Image": image, "Cmd": ["sleep", "infinity"], "HostConfig": limits}
        made = await self._ask("POST", "/containers/create", body)
        await self._ask("POST", f"/containers/{made['Id']}/start")
        return made["Id"]

    async def execute(self, container: str, shell_command: str) -> None:
        """Run a command in it and read its output to the end."""
        body = {"Cmd": [*_SHELL, shell_command], "AttachStdout": True, "AttachStderr": True}
        made = await self._ask("POST", f"/containers/{container}/exec", body)
        await self._ask("POST", f"/exec/{made['Id']}/start", {"Detach": False, "Tty": False})

    async def create_to_first_command(self, image: str = IMAGE) -> str:
        container = await self.create(image)
        await self.execute(container, "true")
        return container

    async def read_output(self, container: str, shell_command: str) -> int:
        """Run a command in it and read its output to the end. Returns its bytes."""
        body = {"Cmd": [*_SHELL, shell_command], "AttachStdout": True, "AttachStderr": True}
        made = await self._ask("POST", f"/containers/{container}/exec", body)
        start = {"Detach": False, "Tty": False}
        moved, head, left = 0, b"", 0
        async for piece in self.http.read("POST", f"{_API}/exec/{made['Id']}/start", start):
            view = memoryview(piece)
            while view:  # frames: eight bytes, the last four of which say how many follow
                if not left:
                    head, view = head + bytes(view[: 8 - len(head)]), view[8 - len(head) :]
                    if len(head) == 8:
                        left, head = int.from_bytes(head[4:]), b""
                    continue
                taken = min(left, len(view))
                moved, left, view = moved + taken, left - taken, view[taken:]
        return moved

    async def commit(self, container: str) -> str:
        """Keep its disk as an image. Returns the image's id."""
        query = f"container={container}&repo={COMMITTED}&tag={uuid4().hex}"
        return (await self._ask("POST", f"/commit?{query}", {}))["Id"]

    async def build(self, folder: Path) -> None:
        """Build the Dockerfile in a folder."""
        await self.run("build", "--tag", f"{COMMITTED}:{uuid4().hex}", folder)

    async def remove_images(self) -> None:
        """Delete the images of `commit` and `build`."""
        for image in await self._ask("GET", "/images/json"):
            for name in image["RepoTags"] or ():
                if COMMITTED in name:
                    await self._ask("DELETE", f"/images/{name}?force=true")

    async def copy_in(self, container: str, name: str, size: int) -> int:
        """Write a file of so many bytes into its folder /root, as `cp` does."""
        entry = tarfile.TarInfo(name)
        entry.size = size

        async def archive() -> AsyncIterator[bytes]:
            yield entry.tobuf()
            for piece in pieces(size):
                yield piece
            yield bytes(-size % 512 + 1024)

        path = f"{_API}/containers/{container}/archive?path=/root"
        await self.http.send("PUT", path, archive(), "application/x-tar")
        return size

    async def copy_out(self, container: str, name: str, size: int) -> int:
        """Read a file of so many bytes from its folder /root, as `cp` does. Returns how many of them came, without what
        the archive around it has."""
        moved = 0
        async for piece in self.http.read("GET", f"{_API}/containers/{container}/archive?path=/root/{name}"):
            moved += len(piece)
        return min(moved, size)

    async def remove(self, container: str) -> None:
        await self._ask("DELETE", f"/containers/{container}?force=true&v=true")

    async def remove_all(self) -> None:
        for container in await self._ask("GET", "/containers/json?all=true"):
            await self.remove(container["Id"])

    async def run_by_command_line(self, shell_command: str = "true", *options: str) -> None:
        """`run IMAGE` with a command, from the start of the program to its end."""
        limits = ("--memory", str(_MEMORY_BYTES), "--cpus", "1", "--pids-limit", str(_PIDS))
        ulimits = ("--ulimit", f"nofile={_FILES}:{_FILES}", "--ulimit", f"nproc={_PIDS}:{_PIDS}")
        await self.run("run", *options, *limits, *ulimits, IMAGE, *_SHELL, shell_command)

    async def execute_by_command_line(self, container: str) -> None:
        await self.run("exec", container, *_SHELL, "true")

    async def run(self, *arguments: str | Path) -> None:
        """Run a subcommand of its command line.

        Raises:
            EngineError: It failed.
        """
        process = await asyncio.create_subprocess_exec(
            *self.command, *arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        _, errors = await process.communicate()
        if process.returncode != 0:
            raise EngineError(f"{self.subject} {arguments[0]}: {errors.decode(errors='replace').strip()}")

    async def _ask(self, method: str, path: str, body: object = None) -> Any:
        try:
            return await self.http.ask(method, _API + path, body)
        except aiohttp.ClientError as error:
            raise EngineError(f"{self.subject} {method} {path}: {error!r}") from error
