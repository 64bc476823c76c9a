"""Drives an engine by the HTTP API that docker and podman share, over its socket, and by its command line."""

import asyncio
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.result import Subject

IMAGE = "loopyard-bench"
_API = "http://engine/v1.40"
_SHELL = ("bash", "-c")

# The limits of a devbox of the default size, so that both sides do the same work.
_MEMORY_BYTES = 2 * 1024**3
_PIDS = 4096
_FILES = 1024


class EngineError(Exception):
    """The engine did not do what was asked; the message is its own."""


@dataclass(frozen=True)
class Engine:
    """A running engine with the image `IMAGE` in it. `command` is its command line, up to the name of a subcommand."""

    subject: Subject
    version: str
    command: Sequence[str | Path]
    http: httpx.AsyncClient

    async def create(self) -> str:
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
        body = {"Image": IMAGE, "Cmd": ["sleep", "infinity"], "HostConfig": limits}
        made = await self._ask("POST", "/containers/create", body)
        await self._ask("POST", f"/containers/{made['Id']}/start")
        return made["Id"]

    async def execute(self, container: str, shell_command: str) -> None:
        """Run a command in it and read its output to the end."""
        body = {"Cmd": [*_SHELL, shell_command], "AttachStdout": True, "AttachStderr": True}
        made = await self._ask("POST", f"/containers/{container}/exec", body)
        await self._ask("POST", f"/exec/{made['Id']}/start", {"Detach": False, "Tty": False})

    async def create_to_first_command(self) -> str:
        container = await self.create()
        await self.execute(container, "true")
        return container

    async def remove(self, container: str) -> None:
        await self._ask("DELETE", f"/containers/{container}?force=true&v=true")

    async def remove_all(self) -> None:
        for container in await self._ask("GET", "/containers/json?all=true"):
            await self.remove(container["Id"])

    async def run_by_command_line(self) -> None:
        """`run IMAGE true`, from the start of the program to its end."""
        limits = ("--memory", str(_MEMORY_BYTES), "--cpus", "1", "--pids-limit", str(_PIDS))
        ulimits = ("--ulimit", f"nofile={_FILES}:{_FILES}", "--ulimit", f"nproc={_PIDS}:{_PIDS}")
        await self.run("run", *limits, *ulimits, IMAGE, *_SHELL, "true")

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
            answer = await self.http.request(method, _API + path, json=body)
        except httpx.HTTPError as error:
            raise EngineError(f"{self.subject} {method} {path}: {error!r}") from error
        if answer.status_code >= 300:
            raise EngineError(f"{self.subject} {method} {path}: {answer.status_code} {answer.text.strip()}")
        is_json = answer.headers.get("content-type", "").startswith("application/json") and answer.content
        return json.loads(answer.content) if is_json else None
