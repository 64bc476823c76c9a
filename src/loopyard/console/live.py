"""Live parts of pages: rendered once for all pages of a login that show the same, and sent when they have changed.

Nothing is asked by pages. A change that is published in `Changes` wakes the fragments that it concerns; a fragment that
shows what nothing publishes is rendered anew at its own interval, once for all of its viewers.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Hashable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from loopyard.auth.acting import Caller, acting_as
from loopyard.console.login.sessions import Session
from loopyard.kit.db.changes import Changes
from loopyard.kit.errors import LoopyardError
from loopyard.kit.http.sse import PING, PING_SECONDS

log = logging.getLogger("loopyard.console")

LEAST_SECONDS = 0.7
"""The least time between two renderings of a fragment: a change is on its page within a second."""
GATHER_SECONDS = 0.1
"""How long a change waits for those that come with it."""
_MOST_SHARE = 0.05
"""How much of the time a fragment's rendering may take: one that takes long is rendered less often."""
_MOST_SECONDS = 10.0


@dataclass(frozen=True)
class Fragment:
    """A part of a page that is kept up to date."""

    name: str
    """The event that it is sent as: `sse-swap` names it."""
    subject: Hashable
    """Subject of the fragment, with all that its rendering depends on: `("devbox", id)`. Same subject, same HTML."""
    render: Callable[[], Awaitable[str]]
    concerns: Callable[[str], bool] = lambda _: True
    """Predicate: the change of a row, by its id, may change this."""
    every_seconds: float | Callable[[], float | None] | None = None
    """How often it is rendered besides; where that depends on what it showed last, what tells it."""


class _Shared:
    """A fragment, and those who look at it."""

    def __init__(self, fragment: Fragment, caller: Caller) -> None:
        self.fragment = fragment
        self.html: str | None = None
        self.version = 0
        self.viewers: set[asyncio.Event] = set()
        self.dirty = asyncio.Event()
        self._caller = caller
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        with acting_as(self._caller):
            while True:
                self.dirty.clear()
                begun = clock()
                await self._render()
                cost = clock() - begun
                await asyncio.sleep(min(max(LEAST_SECONDS, cost / _MOST_SHARE), _MOST_SECONDS))
                try:
                    every = self.fragment.every_seconds
                    async with asyncio.timeout(every() if callable(every) else every):
                        await self.dirty.wait()
                    await asyncio.sleep(GATHER_SECONDS)
                except TimeoutError:
                    pass

    async def _render(self) -> None:
        try:
            html = await self.fragment.render()
        except LoopyardError as error:
            log.debug("fragment %s: %s", self.fragment.name, error.message)
            return
        except Exception:
            log.exception("a live part of a page could not be rendered")
            return
        if html != self.html:
            self.html = html
            self.version += 1
            for viewer in self.viewers:
                viewer.set()


class Live:
    def __init__(self, changes: Changes) -> None:
        self._shared: dict[Any, _Shared] = {}
        changes.listen(self._changed)

    @property
    def running(self) -> int:
        """How many fragments are looked at."""
        return len(self._shared)

    def _changed(self, key: str) -> None:
        for shared in self._shared.values():
            if not shared.dirty.is_set() and shared.fragment.concerns(key):
                shared.dirty.set()

    async def stream(self, caller: Caller, session: Session, fragments: Sequence[Fragment]) -> AsyncIterator[bytes]:
        """The fragments as messages, each at once and whenever it has changed, as long as the session lasts."""
        news = asyncio.Event()
        seen: dict[str, int] = {}
        with ExitStack() as stack:
            stack.enter_context(session.telling(news.set))
            all_shared = [stack.enter_context(self._viewing(one, caller, session, news)) for one in fragments]
            yield b"retry: 2000\n\n"
            while not session.is_over:
                news.clear()
                for shared in all_shared:
                    name = shared.fragment.name
                    if shared.html is not None and seen.get(name, 0) != shared.version:
                        seen[name] = shared.version
                        yield message(name, shared.html)
                try:
                    async with asyncio.timeout(PING_SECONDS):
                        await news.wait()
                except TimeoutError:
                    yield PING

    @contextmanager
    def _viewing(self, fragment: Fragment, caller: Caller, session: Session, news: asyncio.Event) -> Generator[_Shared]:
        place = (session.digest, fragment.name, fragment.subject)
        shared = self._shared.get(place)
        if shared is None:
            shared = self._shared[place] = _Shared(fragment, caller)
        shared.viewers.add(news)
        try:
            yield shared
        finally:
            shared.viewers.discard(news)
            if not shared.viewers:
                shared.task.cancel()
                if self._shared.get(place) is shared:
                    del self._shared[place]


def message(name: str, html: str) -> bytes:
    """An event of this name with HTML."""
    lines = "".join(f"data: {line}\n" for line in html.replace("\r", "").split("\n"))
    return f"event: {name}\n{lines}\n".encode()
