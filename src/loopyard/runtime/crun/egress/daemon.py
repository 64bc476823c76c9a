"""Daemon that decides on egress: the rules, and the servers for decisions by name."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network

from loopyard.runtime.crun.egress import listeners, table
from loopyard.runtime.crun.egress.blocklist import Blocklist
from loopyard.runtime.crun.egress.firewall import Firewall
from loopyard.runtime.crun.egress.name_server import NameServer
from loopyard.runtime.crun.egress.refusals import Refusals, Tell
from loopyard.runtime.crun.egress.resolver import DnsResolver, Resolvers
from loopyard.runtime.crun.egress.tcp_proxy import TcpProxy
from loopyard.runtime.crun.host import network
from loopyard.runtime.crun.host.instance import Instance
from loopyard.runtime.protocol import NetworkPolicy


class EgressDaemon:
    """Open it before anything runs, and close it last. Closing leaves the rules in force: then there are no names."""

    def __init__(
        self,
        instance: Instance,
        mirrors: Sequence[str],
        host_ports: Sequence[int],
        gateway: int,
        *,
        open_seconds: float,
        refused: Tell,
    ) -> None:
        """`mirrors` are the names that a policy's `mirrors` opens, `host_ports` the TCP ports of this host that
        sandboxes may reach, at their gateway's address. `gateway` is the port that the agent gateway listens on.
        `open_seconds` is how long an address stays open at least after its last use, and `refused` is told what is
        refused by name.

        Raises:
            RuntimeUnavailable: This host cannot do it.
        """
        self._listeners = listeners.listen()
        closed = Blocklist(IPv4Network(instance.network))
        ours = self._listeners
        ports = table.Ports(ours.names_port, ours.streams_port, tuple(sorted(set(host_ports))), gateway)
        refusals = Refusals(refused)
        self._firewall = Firewall(instance, closed, ports, mirrors, open_seconds)
        self._names = NameServer(DnsResolver(self._firewall, closed, Resolvers(), refusals))
        self._streams = TcpProxy(self._firewall, closed, refusals, open_seconds)

    async def open(self, policies: Mapping[int, NetworkPolicy]) -> None:
        """Put the policies of the sandboxes that run in force, by slot, in place of all that was before.

        Where no policy is in the way, sandboxes ask the host's resolvers by themselves; if it has none that they can
        reach, they ask this at their gateway's address.

        Raises:
            RulesRefused: The kernel does not take the rules.
        """
        await self._names.open(self._listeners)
        await self._streams.open(self._listeners)
        await self._firewall.open(policies, network.nameservers)

    async def apply(self, slot: int, policy: NetworkPolicy | None) -> None:
        """Put a policy in force for the sandbox in a slot; None for one that has none.

        Raises:
            RulesRefused: The kernel did not take it; what was in force still is.
        """
        await self._firewall.apply(slot, policy)

    async def close(self) -> None:
        await self._streams.close()
        await self._names.close()
        await self._firewall.close()
        self._listeners.close()
