"""Which slot is whose, and some always ready."""

import asyncio
import logging
from collections import deque

from loopyard.runtime.crun.host import network
from loopyard.runtime.crun.host.instance import SLOTS, Instance
from loopyard.runtime.crun.launcher.client import LauncherClient
from loopyard.runtime.crun.launcher.requests import PrepareSlot
from loopyard.runtime.errors import SandboxStartFailed

log = logging.getLogger("loopyard.runtime")


class SlotPool:
    """Hands out the instance's slots. A slot's namespaces are made once and serve one sandbox after the other."""

    def __init__(self, instance: Instance, launcher: LauncherClient, spare: int, used: set[int]) -> None:
        """`used` are the slots of sandboxes that run already; `spare` is how many free ones are kept ready."""
        self._instance = instance
        self._launcher = launcher
        self._spare = spare
        self._mtu = network.mtu()
        self._ready: deque[int] = deque()
        self._raw = deque(slot for slot in range(SLOTS) if slot not in used)
        self._made: set[int] = set()
        self._generation = launcher.generation
        self._refill: asyncio.Task[None] | None = None

    async def take(self) -> int:
        """A slot that is ready for a sandbox.

        Raises:
            SandboxStartFailed: All are in use, or the host could not make one ready.
        """
        self._forget_lost()
        slot = self._ready.popleft() if self._ready else await self._new()
        self.refill()
        return slot

    @property
    def all_taken(self) -> bool:
        """True if there is none left, ready or not."""
        return not self._ready and not self._raw

    def give_back(self, slot: int) -> None:
        """A sandbox is gone, and everything that ran in it."""
        self._forget_lost()
        if slot in self._made:
            self._ready.append(slot)
        else:
            self._raw.append(slot)  # an earlier server made its namespaces; they went with the sandbox

    def refill(self) -> None:
        """Make slots ready in the background, if there are too few."""
        if len(self._ready) < self._spare and (self._refill is None or self._refill.done()):
            self._refill = asyncio.create_task(self._fill())

    async def close(self) -> None:
        if self._refill is not None:
            self._refill.cancel()
            await asyncio.gather(self._refill, return_exceptions=True)

    def _forget_lost(self) -> None:
        if self._generation != self._launcher.generation:
            self._generation = self._launcher.generation
            self._raw.extend(self._ready)
            self._ready.clear()
            self._made.clear()

    async def _fill(self) -> None:
        while len(self._ready) < self._spare and self._raw:
            try:
                self._ready.append(await self._new())
            except SandboxStartFailed as fault:
                log.warning("%s", fault)
                return

    async def _new(self) -> int:
        if not self._raw:
            raise SandboxStartFailed(f"This host runs {SLOTS} sandboxes already, which is the most it takes.")
        slot = self._raw.popleft()
        host_address, address = self._instance.addresses(slot)
        fault = await self._launcher.attempt(
            PrepareSlot(
                number=slot,
                uid_base=self._instance.uid_base(slot),
                link=self._instance.link(slot),
                host_address=host_address,
                address=address,
                mtu=self._mtu,
            )
        )
        if fault is not None:
            self._raw.append(slot)
            raise SandboxStartFailed(f"The host could not make a network for a sandbox: {fault}")
        self._made.add(slot)
        return slot
