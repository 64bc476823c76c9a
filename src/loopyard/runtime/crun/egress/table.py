"""The text of the rules: one table for each server, and in it two chains for each policy in use."""

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from loopyard.runtime.crun.egress.blocklist import Blocklist
from loopyard.runtime.crun.host.instance import Instance
from loopyard.runtime.host_gateway import GatewayAddress
from loopyard.runtime.protocol import AllowedNetwork, NetworkPolicy, PortRange

FLOWS = 8192
"""How many connections one sandbox may have with the world at a time."""

QUESTIONS_PER_SECOND = 200
"""How often one sandbox may ask for a name by this server, with as many more in a burst."""

STREAMS_PER_SECOND = 200
"""How many connections one sandbox may open by name in a second, with as many more in a burst."""


GATEWAY = GatewayAddress("192.0.2.1", 80)
"""Where sandboxes find the gateway. The address is reserved for documentation (RFC 5737), so nobody has it."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where this server answers for names (UDP and TCP), takes connections by name, and what of this host is open."""

    names: int
    streams: int
    host: Sequence[int] = ()
    gateway: int | None = None
    """Where this server takes what sandboxes send to `GATEWAY`; None for nowhere."""


def whole(instance: Instance, closed: Blocklist, resolvers: Sequence[str], ports: Ports) -> str:
    """Commands that replace the table with one that has no policy in it yet.

    `resolvers` may be asked by sandboxes themselves; if there are none, this server answers in their place.
    """
    links = f'"{instance.link_prefix}*"'
    question = "meta l4proto { tcp, udp } th dport 53"
    asks_here = "" if resolvers else f"fib daddr . iif type local {question} redirect to :{ports.names}"
    served = f"th dport {{ {ports.names}, {ports.streams} }} socket transparent 1"
    to_gateway, at_gateway, from_gateway = _gateway(ports.gateway)
    off_limits = f"iifname != {links} {at_gateway} counter drop" if at_gateway else ""
    # Every packet is judged, not the first alone: a policy that closes the gateway ends what is open there.
    # The gateway is at its one address: whoever calls this host's port itself is not let in.
    came = f"{at_gateway} ct status dnat"
    visitors = f"{came} ip saddr vmap @guests\n        {came} accept\n        {at_gateway} drop" if at_gateway else ""
    answers = f"oifname {links} {from_gateway} ip daddr vmap @guests" if from_gateway else ""
    host_ports = ", ".join(map(str, ports.host))
    to_host = f"tcp dport {{ {host_ports} }} fib daddr . iif type local"
    guests = f"{to_host} ip saddr vmap @guests\n        {to_host} accept" if ports.host else ""
    return f"""
table inet {instance.table}
delete table inet {instance.table}
table inet {instance.table} {{
    set closed {{ type ipv4_addr; flags interval; auto-merge; elements = {{ {_listed(closed.never)} }}
    }}
    set private {{ type ipv4_addr; flags interval; auto-merge; elements = {{ {_listed(closed.private)} }}
    }}
    set resolvers {{ type ipv4_addr; {_elements(resolvers)}
    }}
    map policies {{ type ipv4_addr : verdict; }}
    map names {{ type ipv4_addr : verdict; }}
    map guests {{ type ipv4_addr : verdict; }}
    set learned {{ type ipv4_addr . ipv4_addr; flags timeout; }}
    map groups {{ type ipv4_addr : mark; }}
    set members {{ type mark . ipv4_addr; }}
    set flows {{ type ipv4_addr; flags dynamic; size 65535; }}
    set questions {{ type ipv4_addr; flags dynamic,timeout; timeout 10s; size 65535; }}
    set openings {{ type ipv4_addr; flags dynamic,timeout; timeout 10s; size 65535; }}
    chain refuse {{
        meta l4proto tcp counter reject with tcp reset
        counter reject with icmpx admin-prohibited
    }}
    chain accepted {{
        accept
    }}
    chain origin {{
        type filter hook prerouting priority raw; policy accept;
        iifname != {links} accept
        meta nfproto != ipv4 counter drop
        ip saddr != {instance.subnet} counter drop
        fib saddr . iif oif missing counter drop
    }}
    chain led_here {{
        type nat hook prerouting priority dstnat; policy accept;
        iifname != {links} accept
        {to_gateway}
        ip saddr vmap @names
        {asks_here}
    }}
    chain input {{
        type filter hook input priority -10; policy accept;
        iifname != {links} {served} counter drop
        {off_limits}
        iifname != {links} accept
        {visitors}
        ct status dnat meta l4proto {{ tcp, udp }} {served} goto served
        ct state established,related accept
        icmp type echo-request fib daddr . iif type local accept
        {guests}
        goto refuse
    }}
    chain output {{
        type filter hook output priority -10; policy accept;
        {answers}
    }}
    chain served {{
        ct state established accept
        th dport {ports.names} update @questions {{ ip saddr {_limit(QUESTIONS_PER_SECOND)} }} counter drop
        th dport {ports.streams} update @openings {{ ip saddr {_limit(STREAMS_PER_SECOND)} }} counter drop
        accept
    }}
    chain forward {{
        type filter hook forward priority -10; policy accept;
        iifname {links} oifname {links} goto between
        oifname {links} ct state established,related accept
        oifname {links} counter drop
        iifname {links} goto out
    }}
    chain between {{
        meta mark set 0
        meta mark set ip saddr map @groups
        meta mark . ip daddr @members meta mark set 0 accept
        goto refuse
    }}
    chain out {{
        ct state new add @flows {{ ip saddr ct count over {FLOWS} }} counter drop
        ip saddr vmap @policies
        ip daddr @resolvers meta l4proto {{ tcp, udp }} th dport 53 accept
        ip daddr @closed goto refuse
        ip daddr @private goto refuse
        accept
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr {instance.subnet} oifname != {links} masquerade
    }}
}}
"""  # noqa: S608


def chains(policy: NetworkPolicy) -> str:
    """Suffix of the names of a policy's two chains: policies that open the same networks share them."""
    return hashlib.sha256(repr(sorted(map(repr, policy.networks))).encode()).hexdigest()[:16]


def of_policy(instance: Instance, closed: Blocklist, policy: NetworkPolicy, ports: Ports) -> str:
    """Commands that make a policy's chains: `p_…` for what is forwarded, `n_…` for what goes by name."""
    table, name = f"inet {instance.table}", chains(policy)
    inner = [one for one in policy.networks if closed.is_private(IPv4Network(one.cidr))]
    outer = [one for one in policy.networks if one not in inner]
    forward = [
        "ip daddr @closed goto refuse",
        *_each(inner, "accept"),
        "ip daddr @private goto refuse",
        *_each(outer, "accept"),
        "goto refuse",
    ]
    by_name = [
        *_each(inner, "accept"),
        *(f"ip daddr != @private ip daddr != @closed {rule}" for rule in _each(outer, "accept")),
        f"meta l4proto {{ tcp, udp }} th dport 53 redirect to :{ports.names}",
        "ip daddr @closed accept",
        f"meta l4proto tcp ip saddr . ip daddr @learned redirect to :{ports.streams}",
    ]
    commands = [f"add chain {table} {kind}_{name}" for kind in "pn"]
    for kind, rules in (("p", forward), ("n", by_name)):
        commands += [f"add rule {table} {kind}_{name} {rule}" for rule in rules]
    return "\n".join(commands)


def without_policy(instance: Instance, name: str) -> str:
    """Commands that remove a policy's chains; no sandbox may be led to them any more."""
    table = f"inet {instance.table}"
    return "\n".join(f"flush chain {table} {kind}_{name}\ndelete chain {table} {kind}_{name}" for kind in "pn")


def _each(networks: Sequence[AllowedNetwork], verdict: str) -> list[str]:
    rules: list[str] = []
    for network in networks:
        if not network.ports:
            rules.append(f"ip daddr {network.cidr} {verdict}")
            continue
        by_protocol = [(protocol, _ports(network.ports, protocol)) for protocol in ("tcp", "udp")]
        rules += [
            f"ip daddr {network.cidr} {name} dport {{ {ports} }} {verdict}" for name, ports in by_protocol if ports
        ]
    return rules


def _ports(ranges: Sequence[PortRange], protocol: str) -> str:
    """The ports of one protocol, as an nftables set takes them: in order, none twice."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted((one.first, one.last) for one in ranges if one.protocol in (None, protocol)):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(merged[-1][1], last)
        else:
            merged.append((first, last))
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in merged)


def _gateway(port: int | None) -> tuple[str, str, str]:
    """A rule that leads connections to the gateway, and the conditions that hold for packets to it and from it; empty
    where there is none."""
    if port is None:
        return "", "", ""
    lead = f"ip daddr {GATEWAY.host} tcp dport {GATEWAY.port} redirect to :{port}"
    return lead, f"tcp dport {port} socket transparent 1", f"tcp sport {port} tcp flags & rst == 0 ct status dnat"


def _limit(per_second: int) -> str:
    return f"limit rate over {per_second}/second burst {per_second} packets"


def _listed(networks: Sequence[IPv4Network]) -> str:
    return ", ".join(map(str, ipaddress.collapse_addresses(networks)))


def _elements(addresses: Sequence[str]) -> str:
    return f"elements = {{ {', '.join(addresses)} }}" if addresses else ""
