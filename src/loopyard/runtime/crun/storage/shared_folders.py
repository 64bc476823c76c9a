"""Folders that sandboxes share, such as Python environments of scorers: who uses one, and when nobody needs it.

A folder is in use while a sandbox sees it, which the kernel's table of mounts tells. When it was last used is the time
of a file of its name in the data folder, which no sandbox can change. What was freed is made anew when it is asked for.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from loopyard.kit.host.failpoint import failpoint
from loopyard.runtime.crun.launcher.client import LauncherClient
from loopyard.runtime.crun.launcher.requests import DeleteDisk, PutAside
from loopyard.runtime.crun.storage.pool import Pool
from loopyard.runtime.layout import Layout
from loopyard.runtime.upkeep import Leftover

_DAY_SECONDS = 24 * 3600
_GONE = ".gone"
"""Suffix of the name of a folder that is being deleted."""
_ROOT_FIELD = 3
"""Where a line of a table of mounts says which folder of its file system is mounted."""


class SharedFolders:
    """Shared folders of one provider, and their garbage collector. `pids` are the first processes of the sandboxes that
    run."""

    def __init__(self, layout: Layout, launcher: LauncherClient, pool: Pool, pids: Callable[[], Iterable[int]]) -> None:
        self._layout = layout
        self._launcher = launcher
        self._pool = pool
        self._pids = pids
        self._coming: Counter[str] = Counter()
        self._freeing = asyncio.Lock()

    @asynccontextmanager
    async def using(self, name: str) -> AsyncGenerator[None]:
        """While a sandbox is being shown the folder: it is not freed meanwhile."""
        async with self._freeing:
            self._coming[name] += 1
        try:
            await asyncio.to_thread(self._note, name)
            yield
        finally:
            self._coming[name] -= 1

    async def leftovers(self, cache_days: float) -> Sequence[Leftover]:
        """Shared folders that no sandbox sees, and none has seen for so many days; and folders that a killed server has
        not deleted to the end, whose name ends with `.gone`."""
        names = await self._pool.shared()
        used = await self._used()
        found: list[Leftover] = []
        for name in sorted(names):
            if name.endswith(_GONE):
                found.append(Leftover("shared", name))
            elif name in used:
                await asyncio.to_thread(self._note, name)
            elif await asyncio.to_thread(self._last_used, name) <= time.time() - cache_days * _DAY_SECONDS:
                found.append(Leftover("shared", name))
        return found

    async def free(self, leftover: Leftover) -> bool:
        name = leftover.name.removesuffix(_GONE)
        folder, aside = str(self._layout.shared(name)), str(self._layout.shared(f"{name}{_GONE}"))
        # Half of a folder must never be taken for the whole: it is deleted under another name.
        if await self._launcher.attempt(DeleteDisk(aside)) is not None:
            return False
        if name != leftover.name:
            return True
        async with self._freeing:
            if self._coming[name] or name in await self._used():
                return False
            self._mark(name).unlink(missing_ok=True)
            failpoint("shared.forgotten")
            if await self._launcher.attempt(PutAside(folder, aside)) is not None:
                return False
        failpoint("shared.put_aside")
        return await self._launcher.attempt(DeleteDisk(aside)) is None

    def _mark(self, name: str) -> Path:
        return self._layout.shared_mark(name)

    def _note(self, name: str) -> None:
        mark = self._mark(name)
        mark.parent.mkdir(mode=0o700, exist_ok=True)
        mark.touch()

    def _last_used(self, name: str) -> float:
        """In seconds since 1970. One of which that is not known counts as used now."""
        try:
            return self._mark(name).stat().st_mtime
        except FileNotFoundError:
            self._note(name)
            return self._mark(name).stat().st_mtime

    async def _used(self) -> set[str]:
        return await asyncio.to_thread(_mounted, list(self._pids()))


def _mounted(pids: Iterable[int]) -> set[str]:
    """The names of the shared folders that processes see."""
    found: set[str] = set()
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
        except OSError:  # it has ended, and its mounts with it
            continue
        for line in lines:
            parent, _, name = line.split(maxsplit=_ROOT_FIELD + 1)[_ROOT_FIELD].rpartition("/")
            if parent.endswith("/shared"):
                found.add(name)
    return found
