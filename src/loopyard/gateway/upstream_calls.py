"""The server's side of the gateway and the MCP hub: grants, and answers to the proxy's process."""

import socket
from pathlib import Path

from loopyard.gateway.admission import GatewayAdmission
from loopyard.gateway.observation import Ledger, NoLedger
from loopyard.kit.background.tasks import Tasks
from loopyard.kit.db.database import Database
from loopyard.mcp_hub.admission import McpAdmission
from loopyard.runtime.host_gateway import HasHostGateway
from loopyard.runtime.protocol import Runtime
from loopyard.secret.service import SecretService
from loopyard.upstream_proxy.addresses import Addresses
from loopyard.upstream_proxy.admission import Admission
from loopyard.upstream_proxy.channel import Message
from loopyard.upstream_proxy.config import GatewaySettings
from loopyard.upstream_proxy.grants import Grants
from loopyard.upstream_proxy.process import ProxyProcess


class UpstreamCalls:
    """Grants of upstream calls, the process that makes them, and the answers to what it asks."""

    def __init__(
        self,
        database: Database,
        runtime: Runtime,
        secrets: SecretService,
        settings: GatewaySettings,
        folder: Path,
        tasks: Tasks,
        module: str,
        ledger: Ledger | None = None,
    ) -> None:
        """`module` is the program of the proxy process, `folder` the process's own. `ledger` keeps account of model
        calls; None keeps none."""
        self.addresses = Addresses(settings.allowed_networks)
        told: Message = {"settings": settings.model_dump(mode="json"), "folder": str(folder)}

        def listener() -> socket.socket:
            assert isinstance(runtime, HasHostGateway)  # noqa: S101  (grants are refused on others)
            return runtime.gateway_socket()

        self.process = ProxyProcess(module, listener, told, tasks)
        self.process.answerer = self._answer
        ledger = ledger or NoLedger()
        self.process.ended = ledger.proxy_ended
        self.grants = Grants(database, runtime, self.process)
        admission = Admission(runtime)
        self._mcp = McpAdmission(database, admission, secrets)
        self._gateway = GatewayAdmission(database, admission, secrets, ledger, record=settings.record)

    async def _answer(self, message: Message) -> Message:
        if "gateway" in message:
            return await self._gateway.answer(message["gateway"])
        if "mcp" in message:
            return await self._mcp.answer(message["mcp"])
        return await self._gateway.report(message["report"])
