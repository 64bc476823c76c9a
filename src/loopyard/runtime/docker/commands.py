"""The commands of sandboxes, kept in the same folders as the crun provider's; only who watches over them differs."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from loopyard.runtime.commands.kept import Commands
from loopyard.runtime.docker import wrapper
from loopyard.runtime.docker.calls import Refused
from loopyard.runtime.docker.keeper import KeeperOrder
from loopyard.runtime.layout import Layout

_ATTEMPTS = 5

Signaller = Callable[[str, list[str]], Awaitable[object]]
"""Runs a command line as root in a container."""


class DockerCommands(Commands):
    """Commands of containers. `signaller` is how signals are sent."""

    def __init__(self, layout: Layout, signaller: Signaller) -> None:
        super().__init__(layout)
        self._signaller = signaller
        self._kills: set[asyncio.Task[None]] = set()

    async def start(self, sandbox_id: str, command_id: str, keeping: KeeperOrder) -> None:
        """Start a command under a keeper; nothing if its id was used.

        Raises:
            Refused: The engine did not start it.
        """
        stdin_for = 0 if keeping["stdin"] else None
        folder = self.prepare(sandbox_id, command_id, stdin_for=stdin_for)
        if folder is None:
            return
        try:
            said = ""
            for _ in range(_ATTEMPTS):
                said = await self._keep(folder, keeping)
                if said == "ok" or self.is_begun(folder):
                    return
                if said:
                    break
            if await asyncio.to_thread(self.give_up, folder):
                status, _, message = said.partition(" ")
                raise Refused(int(status or 500), message or "the command's keeper was killed")
        finally:
            self.started(folder)

    async def _keep(self, folder: Path, keeping: KeeperOrder) -> str:
        """Start a keeper. Returns `ok` once the command is begun, else why it is not; nothing if the keeper was
        killed."""
        keeper = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "loopyard.runtime.docker.keeper",
            str(folder),
            str(self.live(folder)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return (await keeper.communicate(json.dumps(keeping).encode()))[0].decode()

    async def signal(self, sandbox_id: str, command_id: str, number: int, *, group: bool) -> None:
        folder = self._folder(sandbox_id, command_id)
        while folder in self._starting:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # its process id is not known yet
        pid = self.pid(sandbox_id, command_id)
        if self.result(sandbox_id, command_id) is None and pid is not None:
            await self._signaller(sandbox_id, wrapper.signalling(pid, number, "group" if group else "process"))

    def _kill(self, folder: Path) -> None:
        if (pid := self.pid(folder.parent.name, folder.name)) is not None:
            task = asyncio.create_task(self._kill_by_id(folder.parent.name, pid))
            self._kills.add(task)
            task.add_done_callback(self._kills.discard)

    async def _kill_by_id(self, sandbox_id: str, pid: int) -> None:
        await self._signaller(sandbox_id, wrapper.signalling(pid, 9, "group"))
