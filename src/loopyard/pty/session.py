"""Terminal session: a shell, its last output, and the viewers attached to it."""

import asyncio
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager

from loopyard.devbox.attachment.command import Attachment
from loopyard.kit.errors import BadRequest
from loopyard.pty.config import PtyConfig
from loopyard.pty.scrollback import Scrollback
from loopyard.pty.viewer import CloseReason, Viewer
from loopyard.runtime.protocol import Terminal

log = logging.getLogger("loopyard.pty")

SLOW_SECONDS = 10.0
"""How long output waits for one who does not take it, before they are let go."""

_ENDED, _GOING_AWAY, _TOO_SLOW = 1000, 1001, 1013


class PtySession:
    """`over` is called once when the session is over."""

    def __init__(
        self, name: str, shell: Attachment, terminal: Terminal, config: PtyConfig, over: Callable[[], None]
    ) -> None:
        self.name = name
        self.rows, self.columns = terminal.rows, terminal.columns
        self.closed = False
        self._shell = shell
        self._config = config
        self._over = over
        self._scrollback = Scrollback(config.scrollback_bytes)
        self._viewers: set[Viewer] = set()
        self._turn = asyncio.Lock()
        self._writing: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._running = asyncio.ensure_future(self._run())
        self._wait_idle()

    @property
    def attached(self) -> bool:
        return bool(self._viewers)

    @contextmanager
    def attach(self) -> Generator[Viewer]:
        """See what the session shows, from its last output on, as long as the block lasts."""
        viewer = Viewer(self._scrollback)
        self._viewers.add(viewer)
        if self._idle is not None:
            self._idle.cancel()
        if self.closed:
            viewer.end((_GOING_AWAY, "the session is closed"))
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)
            viewer.room.set()
            if not self._viewers:
                self._wait_idle()

    async def write(self, data: bytes) -> None:
        """Type into the terminal, waiting while nobody reads there; nothing once the session is over."""
        async with self._turn:
            if not self.closed:
                self._writing = asyncio.ensure_future(self._shell.write(data))
                await asyncio.wait({self._writing})
                if not self._writing.cancelled() and (error := self._writing.exception()) is not None:
                    log.debug("session %s takes no input: %s", self.name, error)

    def resize(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self._shell.resize(rows, columns)

    def signal(self, number: int) -> None:
        """Send a signal to what is in the terminal's foreground.

        Raises:
            BadRequest: The shell has ended.
        """
        if self._shell.ended.done():
            raise BadRequest("signal: the session's shell has ended.", field="signal")
        self._shell.signal(number)

    def close(self, reason: str = "the session was closed") -> None:
        """End the session: its shell and what is in the foreground get SIGHUP."""
        self._finish((_GOING_AWAY, reason))
        self._running.cancel()

    def _wait_idle(self) -> None:
        if not self.closed:
            loop = asyncio.get_running_loop()
            self._idle = loop.call_later(self._config.idle_ttl_seconds, self.close, "nobody was attached")

    async def _run(self) -> None:
        """Show what the shell writes, until it ends."""
        try:
            async for data in self._shell.stdout():
                self._scrollback.add(data)
                for viewer in self._viewers:
                    viewer.show(data)
                await self._keep_pace()
            status = await self._shell.ended
            self._finish((_ENDED, f"the shell exited with {status}"))
        finally:
            self._finish((_GOING_AWAY, "the session is over"))
            if self._writing is not None and not self._writing.done():
                self._writing.cancel()
                await asyncio.wait({self._writing})
            self._shell.close()

    async def _keep_pace(self) -> None:
        """Let the shell wait for those who are attached, and let go of who is too slow."""
        await asyncio.sleep(0)
        for viewer in list(self._viewers):
            if viewer.room.is_set():
                continue
            try:
                async with asyncio.timeout(SLOW_SECONDS):
                    await viewer.room.wait()
            except TimeoutError:
                self._viewers.discard(viewer)
                viewer.end((_TOO_SLOW, "too slow for the session's output"))

    def _finish(self, ending: CloseReason) -> None:
        if self.closed:
            return
        self.closed = True
        if self._idle is not None:
            self._idle.cancel()
        for viewer in self._viewers:
            viewer.end(ending)
        self._over()
