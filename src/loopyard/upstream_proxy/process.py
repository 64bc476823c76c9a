"""The proxy process, as the server sees it: started when it is first needed, and anew whenever it is killed.

What devboxes and upstreams send is not the server's to carry. The process ends with the server. The socket that
devboxes connect to is the server's, so that their connections wait while the process starts.
"""

import asyncio
import logging
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

from loopyard.kit.background.tasks import Tasks
from loopyard.upstream_proxy.channel import LINE_BYTES, Answerer, Channel, ChannelClosed, Message
from loopyard.upstream_proxy.tokens import KINDS, Kind

log = logging.getLogger("loopyard.gateway")

_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ProxyProgram:
    """Program of the proxy process: the name of a module, as `python -m` takes it."""

    module: str


class ProxyProcess:
    def __init__(
        self,
        module: str,
        listener: Callable[[], socket.socket],
        told: Message,
        tasks: Tasks,
    ) -> None:
        """`module` is run, `listener` gives the socket that devboxes connect to, `told` is the first message."""
        self._module = module
        self._listener = listener
        self._told = told
        self._tasks = tasks
        self._channel: Channel | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.answerer: Answerer = _nothing
        """Answers what the process asks."""
        self.ended: Callable[[], Awaitable[None]] = _no_end
        """Called when the process has ended."""

    def need(self) -> None:
        """Have the process run from now on."""
        self._tasks.start("gateway", self._run())

    @property
    def pid(self) -> int | None:
        """The process; None while there is none."""
        return None if self._process is None else self._process.pid

    async def drop(self, devbox_id: str, kinds: Collection[Kind] = KINDS) -> None:
        """End all calls of these kinds that go on for a devbox."""
        if self._channel is not None:
            with suppress(ChannelClosed):
                await self._channel.ask({"drop": devbox_id, "kinds": list(kinds)})

    def drop_soon(self, devbox_id: str) -> None:
        """The same in the background."""
        if self._channel is not None:
            self._tasks.start(f"gateway drop {devbox_id}", self.drop(devbox_id))

    async def _run(self) -> None:
        while True:
            try:
                await self._run_one()
            finally:
                await self._end()
                await self.ended()
            log.warning("the gateway's process ended; starting it anew")
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _run_one(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs, self._listener() as listener:
            descriptors = (theirs.fileno(), listener.fileno())
            command = (sys.executable, "-m", self._module, *map(str, descriptors))
            # A session of its own: Ctrl-C at the terminal is for the server, which ends it.
            self._process = await asyncio.to_thread(
                subprocess.Popen, command, pass_fds=descriptors, start_new_session=True, stdin=subprocess.DEVNULL
            )
        reader, writer = await asyncio.open_connection(sock=ours, limit=LINE_BYTES)
        channel = Channel(reader, writer, self.answerer)
        running = asyncio.create_task(channel.run())
        try:
            await channel.ask({**self._told, "log_level": logging.getLogger().getEffectiveLevel()})
            self._channel = channel
            await running
        except ChannelClosed:
            pass
        finally:
            self._channel = None
            channel.close()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def _end(self) -> None:
        """Reap it. It ends by itself once its socket is closed."""
        if self._process is not None:
            process, self._process = self._process, None
            try:
                async with asyncio.timeout(_PAUSE_SECONDS):
                    await asyncio.to_thread(process.wait, _PAUSE_SECONDS)
            except (TimeoutError, subprocess.TimeoutExpired):
                process.kill()
                process.wait()


async def _no_end() -> None:
    return


async def _nothing(_: Message) -> Message:
    return {}
