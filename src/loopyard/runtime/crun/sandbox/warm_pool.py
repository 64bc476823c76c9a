"""Sandboxes that are made before anybody asks for one: what takes longest is done by then."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from loopyard.runtime.crun.host import network
from loopyard.runtime.crun.host.instance import Instance
from loopyard.runtime.crun.launcher.client import LauncherClient
from loopyard.runtime.crun.sandbox.factory import Ground, SandboxFactory, teardown
from loopyard.runtime.crun.sandbox.paths import PathResolver, SandboxPaths, new_ready_name
from loopyard.runtime.crun.sandbox.roots import Roots
from loopyard.runtime.crun.sandbox.store import SandboxRecord
from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.layout import Layout, read_json, subfolders
from loopyard.runtime.processes import is_alive
from loopyard.runtime.protocol import Limits, SandboxSpec

log = logging.getLogger("loopyard.runtime")

_QUIET_SECONDS = 1.0
_LOOK_SECONDS = 0.1
_FAULT_PAUSE_SECONDS = 10.0
_REMOVED_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class _Kind:
    """Properties in which one sandbox differs from another before anything has run in it, but for what is given to any
    that runs."""

    root: Path
    limits: Limits
    hostname: str
    resolving: tuple[str, ...]


async def remove_left(
    layout: Layout, instance: Instance, where: PathResolver, launcher: LauncherClient, crun: Sequence[str]
) -> set[int]:
    """Remove those that a killed process had made ready and nobody got. Returns the slots of those that stay."""
    taken = {where.of(sandbox_id).name for sandbox_id in subfolders(layout.sandboxes)}
    left = [where.of(name) for name in subfolders(layout.ready_ones) if name not in taken]
    stay: set[int] = set()

    async def remove_next() -> None:
        while left:
            traces = left.pop()
            slot = _slot(instance, traces)
            try:
                await teardown(launcher, crun, traces, keep_disk=False)
            except RuntimeFault as fault:
                log.warning("%s stays until the next start: %s", traces.name, fault)
                stay.update(() if slot is None else (slot,))
            where.forget(traces.name)

    await asyncio.gather(*(remove_next() for _ in range(_REMOVED_AT_ONCE)))
    return stay


def _kind(spec: SandboxSpec, root: Path) -> _Kind:
    resolving = (*network.nameservers(), network.search_domains())
    return _Kind(root, spec.limits, spec.hostname, resolving)


def _slot(instance: Instance, traces: SandboxPaths) -> int | None:
    """The slot that a sandbox is in; None if it was not made so far."""
    configuration = read_json(traces.bundle / "config.json")
    return None if configuration is None else instance.slot_of(configuration["linux"]["uidMappings"][0]["hostID"])


class WarmPool:
    """Warm pool of one provider: `wanted` sandboxes of one kind. They are made one at a time, with pauses as long as
    the work, and only while no sandbox has been asked for lately: whoever asks for one has the host for that. Any
    sandbox can be made of one."""

    def __init__(self, making: SandboxFactory, roots: Roots, wanted: int) -> None:
        self._making = making
        self._roots = roots
        self._wanted = wanted
        self._kind: _Kind | None = None
        self._there: deque[tuple[str, SandboxRecord]] = deque()
        self._lost: list[tuple[str, SandboxRecord]] = []
        """Somebody has ended what ran in them."""
        self._asking = 0
        self._asked_at = 0.0
        self._filling: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()

    def keep(self, like: SandboxSpec) -> None:
        """Begin to make them."""
        if self._wanted > 0 and self._filling is None:
            self._filling = asyncio.create_task(self._fill(like))

    @contextmanager
    def being_asked(self) -> Generator[None]:
        """While somebody waits for a sandbox."""
        self._asking += 1
        try:
            yield
        finally:
            self._asking -= 1
            self._asked_at = time.monotonic()

    @property
    def count(self) -> int:
        return len(self._there)

    async def take(self, spec: SandboxSpec) -> tuple[str, SandboxRecord] | None:
        """Take a sandbox for what is asked for, and its name: as it was made, or reconfigured. It is the caller's from
        here on. None if there is none, or it could not be reconfigured.

        Raises:
            ImageNotFound, SnapshotNotFound: What it is to be made of is not on this host.
        """
        if not self._there:
            return None
        as_made = self._is_as_made(spec, self._making.new_root_of(spec))
        while self._there:
            name, box = self._there.popleft()
            if not is_alive(box.pid, box.start_ticks):
                self._lost.append((name, box))
                continue
            if as_made:
                return name, box
            try:
                reconfigured = await self._making.reconfigure(box, name, spec)
            except BaseException:
                self._lost.append((name, box))
                raise
            return None if reconfigured is None else (name, reconfigured)
        return None

    async def take_for_step(self, spec: SandboxSpec, step: Ground) -> tuple[str, SandboxRecord] | None:
        """Take a sandbox for a step of a build, as `take` does it."""
        while self._there:
            name, box = self._there.popleft()
            if not is_alive(box.pid, box.start_ticks):
                self._lost.append((name, box))
                continue
            try:
                reconfigured = await self._making.reconfigure(box, name, spec, step)
            except BaseException:
                self._lost.append((name, box))
                raise
            return None if reconfigured is None else (name, reconfigured)
        return None

    def _is_as_made(self, spec: SandboxSpec, root: Path) -> bool:
        """True if the ready sandboxes are of this kind."""
        if spec.services or spec.snapshot is not None or self._kind != _kind(spec, root):
            return False
        return self._roots.accounts(root).find(spec.user) is not None

    async def evict_one(self) -> bool:
        """Remove one, because its slot is needed; false if there is none."""
        if not self._there:
            return False
        await self._making.drop(*self._there.pop())
        return True

    async def close(self) -> None:
        """Remove them all."""
        self._ending.set()
        if self._filling is not None:
            await self._filling
        self._there.extend(self._lost)
        await asyncio.gather(*(self._remove_all() for _ in range(_REMOVED_AT_ONCE)))

    async def _fill(self, like: SandboxSpec) -> None:
        while not self._ending.is_set():
            if not self._has_time():
                await self._pause(_LOOK_SECONDS)
                continue
            begun = time.monotonic()
            try:
                await self._make(like)
            except (RuntimeFault, OSError) as fault:
                log.warning("no sandbox can be made ready: %s", fault)
                await self._pause(_FAULT_PAUSE_SECONDS)
            await self._pause(time.monotonic() - begun)

    def _has_time(self) -> bool:
        if self._asking or time.monotonic() - self._asked_at < _QUIET_SECONDS:
            return False
        return len(self._there) < self._wanted

    async def _make(self, like: SandboxSpec) -> None:
        """Make one; and first remove those that nobody can get any more."""
        while self._lost:
            await self._making.drop(*self._lost.pop())
        kind = _kind(like, self._roots.of_image(like.image))
        if self._kind != kind:
            await self._remove_all()
            self._kind = kind
        name = new_ready_name()
        box = await self._making.make(replace(like, id=name))
        self._there.append((name, box))

    async def _remove_all(self) -> None:
        while self._there:
            await self._making.drop(*self._there.pop())

    async def _pause(self, seconds: float) -> None:
        """Wait so long, but no longer when this is to end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()
