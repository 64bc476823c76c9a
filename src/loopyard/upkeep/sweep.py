"""Frees what nothing refers to any more."""

import asyncio
import logging
from collections.abc import Sequence

from loopyard.runtime.upkeep import Keeper, Leftover
from loopyard.upkeep.config import UpkeepConfig

log = logging.getLogger("loopyard.upkeep")

_ROUNDS = 50
"""How often a keeper is asked again: a layer that is freed may have been the last that needed the one below."""


class Sweep:
    """All keepers of a server, in the order in which they are asked: what one frees may be the last that refers to what
    the next keeps."""

    def __init__(self, keepers: Sequence[Keeper], config: UpkeepConfig) -> None:
        self._keepers = keepers
        self._config = config
        self._turn = asyncio.Lock()

    async def look(self) -> list[Leftover]:
        """List orphans now, caches of any age among them."""
        async with self._turn:
            return [one for keeper in self._keepers for one in await keeper.leftovers(0)]

    async def free(self, cache_days: float = 0) -> list[Leftover]:
        """Free it. Returns what was freed."""
        freed: list[Leftover] = []
        async with self._turn:
            for keeper in self._keepers:
                freed += await _free(keeper, cache_days)
        return freed

    async def sweep(self) -> None:
        """Free it, caches of the configured age among it, and log what was freed."""
        for one in await self.free(self._config.cache_days):
            log.info("freed of %s: %s", one.kind, one.name)


async def _free(keeper: Keeper, cache_days: float) -> list[Leftover]:
    """Free the orphans of one collector; its errors must not keep the others from their work."""
    freed: list[Leftover] = []
    try:
        for _ in range(_ROUNDS):
            done = [one for one in await keeper.leftovers(cache_days) if await keeper.free(one)]
            freed += done
            if not done:
                break
    except Exception:
        log.exception("%s failed", type(keeper).__name__)
    return freed
