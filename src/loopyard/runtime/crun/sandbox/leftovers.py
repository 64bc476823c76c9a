"""Orphans on the host: leftovers of sandboxes that are gone, and of servers that are gone."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager

from loopyard.runtime.crun.host import cgroups, instance
from loopyard.runtime.crun.sandbox.store import SandboxStore
from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.layout import Layout, subfolders
from loopyard.runtime.upkeep import Leftover

log = logging.getLogger("loopyard.runtime")

_SERVER = "server "
_STEP = ".step"
"""Suffix of the names of cgroups of builds' steps, after the build's id."""


class BoxesKeeper:
    """Disks, cgroups, state of crun and mounts of sandboxes that have no folder: one that is made has that first."""

    def __init__(
        self,
        layout: Layout,
        own: instance.Instance,
        memory: SandboxStore,
        disks: Callable[[], Awaitable[set[str]]],
        remove: Callable[[str], Awaitable[None]],
        acting: Callable[[str], AbstractAsyncContextManager[object]],
    ) -> None:
        """`disks` lists the sandboxes' disks; `remove` takes a sandbox apart, as far as it is there; `acting` keeps
        everybody else from one."""
        self._layout = layout
        self._own = own
        self._memory = memory
        self._disks = disks
        self._remove = remove
        self._acting = acting

    async def leftovers(self, cache_days: float) -> Sequence[Leftover]:  # noqa: ARG002
        seen = {*(await self._disks()), *self._traces()}
        gone = sorted(name for name in seen if not self._is_used(name))
        servers = await asyncio.to_thread(instance.abandoned, self._own.block)
        return [Leftover("boxes", name) for name in (*gone, *(f"{_SERVER}{block}" for block in servers))]

    async def free(self, leftover: Leftover) -> bool:
        if leftover.name.startswith(_SERVER):
            return await asyncio.to_thread(instance.clear, int(leftover.name.removeprefix(_SERVER)), self._own)
        async with self._acting(leftover.name):
            if self._is_used(leftover.name):
                return False
            try:
                await self._remove(leftover.name)
            except RuntimeFault as fault:
                log.warning("what is left of sandbox %s stays: %s", leftover.name, fault)
                return False
            self._memory.forget_variables(leftover.name)
            with contextlib.suppress(OSError):
                os.rmdir(self._own.root(leftover.name))  # noqa: PTH106
        return True

    def _is_used(self, name: str) -> bool:
        made_as = name.removesuffix(_STEP)
        return self._layout.bundle(made_as).exists() or self._layout.ready(made_as).exists()

    def _traces(self) -> Iterable[str]:
        yield from subfolders(self._own.crun_root)
        yield from subfolders(self._own.folder / "roots")
        yield from self._memory.known()
        for folder in cgroups.folders(f"/loopyard/{self._own.block}"):
            yield from subfolders(folder)
