"""The server's side of the process that forks workers."""

import asyncio
import json
import os
import socket
import sys
from pathlib import Path

_KEPT_VARIABLES = ("PATH", "LANG", "PYTHONPATH", "PYTHONPYCACHEPREFIX", "VIRTUAL_ENV")
"""Environment of the workers. Nothing that holds a secret of the server."""


class ForkServerGone(Exception):
    """The process that forks workers has died."""


class ForkServer:
    """Process that forks SQL workers, started when it is first needed, and started again if it died."""

    def __init__(self) -> None:
        self._control: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def fork(self, folder: Path) -> tuple[int, socket.socket]:
        """Fork a worker for the database in a folder. Returns its process id, and the server's end of a connection.

        Raises:
            ForkServerGone: The process died; the next call starts another.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            try:
                pid = await self._ask({"fork": str(folder)}, [theirs.fileno()])
            except BaseException:
                ours.close()
                raise
        ours.setblocking(False)
        return pid, ours

    async def end(self, pid: int) -> None:
        """Kill a worker, and wait until it is dead. All are dead once the process that forked them is."""
        try:
            await self._ask({"end": pid}, [])
        except ForkServerGone:
            return

    async def close(self) -> None:
        """End the process and with it all workers."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            process, self._process = self._process, None
            await process.wait()

    async def _ask(self, message: dict[str, object], descriptors: list[int]) -> int:
        async with self._turn:
            answering = asyncio.ensure_future(self._converse(message, descriptors))
            try:
                return await asyncio.shield(answering)
            except asyncio.CancelledError:
                await asyncio.wait({answering})  # the answer must not be taken for that to the next question
                raise

    async def _converse(self, message: dict[str, object], descriptors: list[int]) -> int:
        control = self._control or await self._start()
        try:
            socket.send_fds(control, [json.dumps(message).encode()], descriptors)
            answer = await asyncio.get_running_loop().sock_recv(control, 4096)
        except OSError:
            answer = b""
        if not answer:
            await self.close()
            raise ForkServerGone("The process that forks SQL workers died.")
        return int(json.loads(answer))

    async def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "loopyard.axon.sql.worker",
                str(theirs.fileno()),
                pass_fds=[theirs.fileno()],
                env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
                stdin=asyncio.subprocess.DEVNULL,
            )
        ours.setblocking(False)
        self._control = ours
        return ours
