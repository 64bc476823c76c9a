"""Gives devboxes the layers that they start from: those that are there, or new ones, made once however many ask."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

from loopyard.agent.config import AgentConfig
from loopyard.agent.layer.installer import Installer, InstallFailed
from loopyard.agent.layer.models import AgentLayer
from loopyard.agent.layer.repository import AgentLayerRepository
from loopyard.agent.layer.states import GOING, MAKING, READY
from loopyard.agent.layer.wanted import AgentBase, WantedAgent
from loopyard.kit.background.tasks import Tasks
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import Database
from loopyard.kit.host.failpoint import failpoint
from loopyard.kit.ids import is_id, new_id
from loopyard.runtime.protocol import Runtime

log = logging.getLogger("loopyard.agent")

PREFIX = "agl"
SWEEP_SECONDS = 3600.0
"""How often layers that nobody uses are looked for, besides whenever some were made."""

_TOUCH_MS = 60_000
_DAY_MS = 24 * 3600 * 1000


@dataclass(slots=True)
class _LayerBuild:
    """A layer that is being made, by its id once it is, and how many wait for it. Each gets a pin."""

    done: asyncio.Future[str]
    waiters: int = 0


class Layers:
    """The layers of this server. All its methods open transactions of their own.

    A layer that something is just being made from is pinned: it is not evicted. Pins need not outlive the process,
    since what was being made begins anew with the next one.
    """

    def __init__(
        self, database: Database, runtime: Runtime, installer: Installer, config: AgentConfig, tasks: Tasks
    ) -> None:
        self._database = database
        self._runtime = runtime
        self._installer = installer
        self._config = config
        self._tasks = tasks
        self._turn = asyncio.Semaphore(config.at_once)
        self._making: dict[str, _LayerBuild] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._pins: Counter[str] = Counter()
        self._going: set[str] = set()
        self._touched: dict[str, int] = {}
        self._grown = False

    async def obtain(self, ground: AgentBase, agents: Sequence[WantedAgent]) -> tuple[str, list[str]]:
        """The layer with all of the agents, installed in this order, pinned for the caller; and what is to be told of
        each agent.

        Raises:
            InstallFailed: One could not be installed.
        """
        key, below, told = ground.key, None, list[str]()
        for agent in agents:
            key = agent.key_on(key)
            try:
                layer, fresh = await self._one(key, ground, below, agent)
            finally:
                if below is not None:
                    self.release(below)
            how = "was installed" if fresh else "was there already"
            told.append(f"Agent {agent.title} ({agent.source.type}) {how}: layer {layer}.")
            below = layer
        if below is None:
            raise ValueError("no agents are wanted")
        return below, told

    def release(self, layer_id: str) -> None:
        """Take back a pin."""
        self._pins[layer_id] -= 1
        if self._pins[layer_id] <= 0:
            del self._pins[layer_id]
        if self._grown:
            self._grown = False
            self._tasks.start("agent layers' sweep", self.sweep())

    async def _one(self, key: str, ground: AgentBase, below: str | None, agent: WantedAgent) -> tuple[str, bool]:
        """The layer of this key, pinned, and whether it was made now."""
        async with self._locks.setdefault(key, asyncio.Lock()):
            # What was made is written down before it is no longer being made, so it is found here or there.
            making = self._making.get(key)
            if making is None:
                layer_id = await self._there(key, agent)
                if layer_id is not None:
                    return layer_id, False
                making = self._making[key] = _LayerBuild(asyncio.get_running_loop().create_future())
                if below is not None:
                    self._pins[below] += 1
                self._tasks.start(f"agent layer {key}", self._make(key, making, ground, below, agent))
            making.waiters += 1
        try:
            return await asyncio.shield(making.done), True
        except asyncio.CancelledError:
            making.waiters -= 1
            if making.done.done() and making.done.exception() is None:
                self.release(making.done.result())
            raise

    async def _there(self, key: str, agent: WantedAgent) -> str | None:
        """A layer that is there already, pinned."""
        oldest = 0 if agent.fixed else now_ms() - self._config.unpinned_seconds * 1000
        async with self._database.read() as session:
            layer = await AgentLayerRepository(session).get_ready(key, oldest)
        # From here to the pin nothing else gets its turn, so an eviction sees the pin or is seen here.
        if layer is None or layer.id in self._going:
            return None
        self._pins[layer.id] += 1
        try:
            await self._touch(layer.id)
        except BaseException:
            self.release(layer.id)
            raise
        return layer.id

    async def _touch(self, layer_id: str) -> None:
        now = now_ms()
        if now - self._touched.get(layer_id, 0) > _TOUCH_MS:
            self._touched[layer_id] = now
            async with self._database.write() as session:
                await AgentLayerRepository(session).touch(layer_id, now)

    async def _make(
        self, key: str, making: _LayerBuild, ground: AgentBase, below: str | None, agent: WantedAgent
    ) -> None:
        layer_id, failure = new_id(PREFIX), None
        try:
            async with self._turn:
                await self._install(layer_id, key, ground, below, agent)
        except InstallFailed as fault:
            failure = fault
        except BaseException as error:
            failure = InstallFailed("health_check_failed", "The server failed; its log says why.")
            if not isinstance(error, Exception):
                raise
            log.exception("agent %s could not be installed", agent.title)
        finally:
            self._making.pop(key, None)
            if failure is None:
                if making.waiters > 0:
                    self._pins[layer_id] += making.waiters
                self._grown = True
                making.done.set_result(layer_id)
            else:
                making.done.set_exception(failure)
                making.done.exception()  # nobody may be waiting any more
            if below is not None:
                self.release(below)

    async def _install(self, layer_id: str, key: str, ground: AgentBase, below: str | None, agent: WantedAgent) -> None:
        now = now_ms()
        async with self._database.write() as session:
            await AgentLayerRepository(session).create(
                AgentLayer(id=layer_id, key=key, state=MAKING, size_bytes=None, create_time_ms=now, used_time_ms=now)
            )
        failpoint("agent.recorded")
        try:
            made = await self._installer.install(layer_id, ground, below, agent)
        except InstallFailed:
            await self._forget(layer_id)
            raise
        failpoint("agent.kept")
        async with self._database.write() as session:
            await AgentLayerRepository(session).set_ready(layer_id, made.size_bytes, now_ms())
        failpoint("agent.ready")
        log.info("agent %s was installed in %.1f s: layer %s", agent.title, made.seconds, layer_id)

    async def sweep(self) -> None:
        """Evict the layers that nobody has used for long, those that are past their time, and of the others so many
        that they fit into the cache, those first that were used longest ago. Pinned ones stay."""
        async with self._database.read() as session:
            layers = [layer for layer in await AgentLayerRepository(session).list_all() if layer.state == READY]
        unused_before = now_ms() - self._config.unused_days * _DAY_MS
        room = self._config.cache_gib * 1024**3
        too_much = sum(layer.size_bytes or 0 for layer in layers) - room
        for layer in layers:
            if layer.id in self._pins or layer.id in self._going:
                continue
            if layer.used_time_ms < unused_before or too_much > 0:
                too_much -= layer.size_bytes or 0
                await self._evict(layer.id)

    async def _evict(self, layer_id: str) -> None:
        self._going.add(layer_id)
        log.info("the agent's layer %s goes", layer_id)
        async with self._database.write() as session:
            await AgentLayerRepository(session).set_state(layer_id, GOING)
        failpoint("agent.evicting")
        await self._forget(layer_id)
        self._going.discard(layer_id)
        self._touched.pop(layer_id, None)

    async def _forget(self, layer_id: str) -> None:
        await self._runtime.delete_snapshot(layer_id)
        async with self._database.write() as session:
            await AgentLayerRepository(session).delete_by_id(layer_id)

    async def reconcile(self) -> None:
        """At start, before devboxes are taken up: make the store and the host agree. Layers that were being made or
        evicted go, and so do those that only one of the two knows."""
        found = {one for one in await self._runtime.snapshots() if is_id(one, PREFIX)}
        async with self._database.read() as session:
            known = {layer.id: layer.state for layer in await AgentLayerRepository(session).list_all()}
        for layer_id in found | known.keys():
            if layer_id not in found or known.get(layer_id) != READY:
                await self._forget(layer_id)
