"""The feature of agents: published ones, and the layers that they are installed in."""

from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.agent import service
from loopyard.agent.catalog.loader import catalog
from loopyard.agent.config import AgentConfig
from loopyard.agent.endpoints import router
from loopyard.agent.layer.installer import Installer
from loopyard.agent.layer.layers import SWEEP_SECONDS, Layers
from loopyard.feature import BackgroundTask, Feature, Reconciler, Routes, Server
from loopyard.kit.background.periodic import Periodic
from loopyard.object.store import ObjectStore


class AgentSettings(Protocol):
    """Settings that this feature reads."""

    agents: AgentConfig


def build(server: Server, settings: AgentSettings) -> Feature:
    """Build the layers of agents. Raises CatalogFault if the configured catalog cannot be read."""
    kinds = catalog(settings.agents.catalog)
    installer = Installer(server.runtime, server.get(ObjectStore), settings.agents, server.tasks)
    layers = Layers(server.database, server.runtime, installer, settings.agents, server.tasks)
    server.offer(Layers, layers)

    sweeps = Periodic("looking for unused layers of agents", layers.sweep, every=SWEEP_SECONDS)

    async def publish(session: AsyncSession) -> None:
        await service.publish(session, kinds.values())

    return Feature(
        routers=[Routes(router)],
        seeds=[publish],
        reconcilers=[Reconciler("agent layers", layers.reconcile)],
        tasks=[BackgroundTask("agent layers", sweeps.run)],
    )
