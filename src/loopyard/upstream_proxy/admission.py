"""Decides whether a call of a devbox may be made, and with which secrets: what the gateway and the MCP hub share."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.network_policy.models import NetworkPolicy
from loopyard.network_policy.repository import NetworkPolicyRepository
from loopyard.runtime.host_gateway import HasHostGateway
from loopyard.runtime.protocol import Runtime
from loopyard.upstream_proxy.tokens import Kind

_FLAGS: dict[Kind, str] = {"gateway": "allow_agent_gateway", "mcp": "allow_mcp_gateway"}

UNKNOWN_TOKEN = (
    "This token is of no devbox that may call from here: it is wrong, or another devbox's, or its devbox has ended. "  # noqa: S105
    "Use the token in this devbox's own variables, or make one by create_gateway_token or create_mcp_token."
)


class CallRefused(Exception):
    """The call is not made; the message says what to do."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def told(self) -> dict[str, object]:
        """As the proxy's process is told it."""
        return {"refused": {"status": self.status, "code": self.code, "message": self.message}}


def refused_by(policy: NetworkPolicy | None) -> Sequence[Kind]:
    """The kinds of calls that a policy, None for one that is gone, does not allow."""
    if policy is not None and policy.allow_all:
        return ()
    return [kind for kind, flag in _FLAGS.items() if policy is None or not getattr(policy, flag)]


class Admission:
    """Checks that the gateway and the MCP hub make of each call. A token counts only on connections that come from its
    own devbox."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def check_source(self, devbox_id: str, source: str, *, ended: bool) -> None:
        """See that a connection comes from the devbox, and that this has not `ended`.

        Raises:
            CallRefused.
        """
        at_source = self._runtime.sandbox_at(source) if isinstance(self._runtime, HasHostGateway) else None
        if at_source != devbox_id or ended:
            raise CallRefused(401, "unauthorized", UNKNOWN_TOKEN)

    async def check_policy(self, session: AsyncSession, launch_parameters: Mapping[str, Any], kind: Kind) -> None:
        """See that the devbox's network policy, if it has one, allows this kind of call.

        Raises:
            CallRefused.
        """
        if (policy_id := launch_parameters.get("network_policy_id")) is None:
            return
        policy = await NetworkPolicyRepository(session).get_by_id(policy_id)
        if kind in refused_by(policy):
            message = f"The network policy of this devbox does not allow this; set {_FLAGS[kind]} in it."
            raise CallRefused(403, "forbidden", message)
