"""The engine: Docker, or what speaks like it, at the other end of a socket."""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import aiodocker
import aiohttp

from loopyard.kit.host.linux import KILLED
from loopyard.runtime.docker.calls import API, Refused, start
from loopyard.runtime.docker.frames import STDERR, STDOUT, Frames
from loopyard.runtime.errors import CommandStartFailed, RuntimeUnavailable, SandboxNotFound, SandboxNotRunning

_PAUSED_SECONDS = 300
_USUAL = ("/run/docker.sock", "/var/run/docker.sock", "/run/podman/podman.sock")


def find_socket(given: Path | None) -> Path:
    """The engine's socket: the given one, else DOCKER_HOST's, else the usual paths.

    Raises:
        RuntimeUnavailable: There is none.
    """
    if given is not None:
        candidates = [str(given)]
    elif host := os.environ.get("DOCKER_HOST"):
        scheme, _, path = host.partition("://")
        if scheme != "unix":
            raise RuntimeUnavailable(f"DOCKER_HOST is {host}, but the docker provider needs a socket on this host.")
        candidates = [path]
    else:
        run = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.geteuid()}")
        candidates = [*_USUAL, f"{run}/docker.sock", f"{run}/podman/podman.sock"]
    for path in candidates:
        if Path(path).is_socket():
            return Path(path)
    raise RuntimeUnavailable(
        f"No Docker or Podman listens here (looked for {', '.join(candidates)}). Start one: systemctl start docker, or "
        "systemctl --user start podman.socket; or say where it is by LOOPYARD_RUNTIME__SOCKET."
    )


class Engine:
    """Asks the engine. Errors are aiodocker's, where a method does not name others."""

    def __init__(self, path: Path) -> None:
        self.path = path
        connector = aiohttp.UnixConnector(str(path), limit=0)
        self._session = aiohttp.ClientSession(connector=connector)
        self.docker = aiodocker.Docker("http://engine", connector=connector, session=self._session)
        self.docker.api_version = API
        self.deleting_images = asyncio.Lock()
        """Held while an image goes from one name to another: a second deletion would see it with one name only."""

    async def close(self) -> None:
        await self.docker.close()
        await self._session.close()

    async def ask(self, method: str, path: str, **options: Any) -> Any:
        """Ask the engine for a call that aiodocker lacks. Returns the answer's JSON, or its text where it is none.

        Raises:
            aiodocker.DockerError: The engine refused.
        """
        async with self._session.request(method, f"http://engine/{API}/{path}", **options) as answer:
            text = await answer.text()
            if answer.status >= 300:
                raise aiodocker.DockerError(answer.status, _message(text))
            return _content(text)

    @contextlib.asynccontextmanager
    async def answer(self, method: str, path: str, **options: Any) -> AsyncGenerator[aiohttp.ClientResponse]:
        """An answer that is read as it comes, for as long as that takes.

        Raises:
            aiodocker.DockerError: The engine refused.
        """
        options.setdefault("timeout", aiohttp.ClientTimeout(total=None, sock_connect=60))
        async with self._session.request(method, f"http://engine/{API}/{path}", **options) as answer:
            if answer.status >= 300:
                raise aiodocker.DockerError(answer.status, _message(await answer.text()))
            yield answer

    async def execute(
        self,
        container: str,
        argv: Sequence[str],
        *,
        user: str = "0",
        environment: Mapping[str, str] | None = None,
        stdin: bool = False,
        terminal: bool = False,
    ) -> tuple[str, socket.socket]:
        """Start a command whose streams the caller holds: the engine's id of it, and the connection, not blocking.

        Raises:
            SandboxNotFound, SandboxNotRunning: The container is gone, or stands.
            CommandStartFailed: The engine could not start it.
        """
        body = {
            "User": user,
            "Cmd": list(argv),
            "Env": [f"{name}={value}" for name, value in (environment or {}).items()],
            "AttachStdin": stdin,
            "AttachStdout": True,
            "AttachStderr": True,
            "Tty": terminal,
        }
        deadline = asyncio.get_running_loop().time() + _PAUSED_SECONDS
        while True:
            try:
                made = await self.ask("POST", f"containers/{container}/exec", json=body)
                connection = await asyncio.to_thread(start, str(self.path), made["Id"], terminal=terminal)
            except (aiodocker.DockerError, Refused) as error:
                refusal = Refused(error.status, str(error))
                if not refusal.is_paused or asyncio.get_running_loop().time() > deadline:
                    raise refused_command(refusal) from error
                await asyncio.sleep(0.02)  # a snapshot is being taken
            except OSError as error:
                raise CommandStartFailed(f"The engine cannot be reached: {error}") from error
            else:
                connection.setblocking(False)
                return made["Id"], connection

    async def run(
        self, container: str, argv: Sequence[str], *, user: str = "0", stdin: bytes = b""
    ) -> tuple[int, str, str]:
        """Run a short command to its end: its exit status, output and errors. Raises as `execute` does."""
        loop = asyncio.get_running_loop()
        exec_id, connection = await self.execute(container, argv, user=user, stdin=bool(stdin))
        frames, streams = Frames(), {STDOUT: b"", STDERR: b""}
        with connection:
            await loop.sock_sendall(connection, stdin)
            connection.shutdown(socket.SHUT_WR)
            while data := await loop.sock_recv(connection, 1 << 16):
                for number, piece in frames.feed(data):
                    streams[number] += piece
        status = await self.exit_status(exec_id)
        return status, streams[STDOUT].decode(errors="replace"), streams[STDERR].decode(errors="replace")

    async def exit_status(self, exec_id: str) -> int:
        """Wait until a command of `execute` has ended, whose streams have."""
        pause = 0.005
        while True:
            try:
                state = await self.ask("GET", f"exec/{exec_id}/json")
            except aiodocker.DockerError:  # gone with its container
                return KILLED
            if not state["Running"] and state["ExitCode"] is not None:
                return int(state["ExitCode"]) & 0xFF
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.2)


def refused_command(refusal: Refused) -> Exception:
    """Result of a command that the engine did not start."""
    text = str(refusal).lower()
    if refusal.status == 404 and "container" in text:
        return SandboxNotFound("The sandbox is gone.")
    if refusal.status == 409 or "is not running" in text or "not running" in text:
        return SandboxNotRunning("The sandbox does not run any more.")
    return CommandStartFailed(f"The engine could not start the command: {refusal}")


def _content(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # nothing, or one JSON after another
        return text


def _message(text: str) -> str:
    """The sentence of a refusal."""
    content = _content(text)
    return str(cast("dict[str, Any]", content).get("message", text)) if isinstance(content, dict) else text
