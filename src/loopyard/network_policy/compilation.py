"""Compilation of stored policies to the rules that the runtime enforces."""

from loopyard.kit.host.hostnames import normal
from loopyard.network_policy.models import NetworkPolicy
from loopyard.network_policy.networks import AllowedCidr
from loopyard.runtime import protocol
from loopyard.runtime.protocol import AllowedNetwork, PortRange


def compiled(policy: NetworkPolicy) -> protocol.NetworkPolicy:
    """A policy in the runtime's words. Devboxes of one account may be open to each other."""
    peers = policy.allow_devbox_to_devbox or policy.allow_all
    return protocol.NetworkPolicy(
        allow_all=policy.allow_all,
        hostnames=tuple(normal(name) for name in policy.allowed_hostnames),
        networks=tuple(_network(one) for one in policy.allowed_cidrs),
        mirrors=policy.allow_runloop_mirrors,
        gateway=policy.allow_agent_gateway or policy.allow_mcp_gateway,
        group=policy.account_id if peers else None,
    )


def _network(allowed: AllowedCidr) -> AllowedNetwork:
    protocols = {"TCP": "tcp", "UDP": "udp", None: None}
    ports = [
        PortRange(rule.port, rule.end_port or rule.port, protocols[rule.protocol])  # type: ignore[arg-type]
        for rule in allowed.ports or ()
    ]
    return AllowedNetwork(allowed.cidr, tuple(ports))
