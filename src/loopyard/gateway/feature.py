"""The feature of calls with hidden credentials: the gateway and its process."""

from typing import Protocol

from loopyard.feature import Feature, Reconciler, Routes, Server
from loopyard.gateway.observation import Ledger
from loopyard.gateway.token_endpoints import router as token_router
from loopyard.gateway.upstream_calls import UpstreamCalls
from loopyard.gateway_config import service
from loopyard.gateway_config.endpoints import router
from loopyard.network_policy.enforcement import Enforcement
from loopyard.secret.service import SecretService
from loopyard.upstream_proxy.addresses import Addresses
from loopyard.upstream_proxy.config import GatewaySettings
from loopyard.upstream_proxy.grants import Grants
from loopyard.upstream_proxy.process import ProxyProgram


class CallSettings(Protocol):
    """Settings that this feature reads."""

    gateway: GatewaySettings


def build(server: Server, settings: CallSettings) -> Feature:
    """Build the proxy's process and its grants. Calls that a changed policy forbids end at once."""
    calls = UpstreamCalls(
        server.database,
        server.runtime,
        server.get(SecretService),
        settings.gateway,
        server.data_dir / "gateway",
        server.tasks,
        server.get(ProxyProgram).module,
        server.get(Ledger),
    )
    server.offer(Addresses, calls.addresses)
    grants = server.offer(Grants, calls.grants)
    server.get(Enforcement).add_listener(grants.end_refused)
    return Feature(
        routers=[Routes(router), Routes(token_router)],
        seeds=[service.publish],
        # The process lets devboxes call; calls from before the start must be counted as cut off before new ones come.
        reconcilers=[Reconciler("upstream calls", grants.reconcile, after=("model usage",))],
    )
