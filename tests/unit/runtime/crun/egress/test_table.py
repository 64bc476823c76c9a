"""The rules that a policy is compiled to, as text for nftables."""

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Network

import pytest

from loopyard.runtime.crun.egress import table
from loopyard.runtime.crun.egress.blocklist import Blocklist
from loopyard.runtime.crun.egress.table import Ports, chains, of_policy, whole, without_policy
from loopyard.runtime.crun.host.instance import Instance
from loopyard.runtime.protocol import AllowedNetwork, NetworkPolicy, PortRange

INSTANCE = Instance(3, "10.200.0.0/16")
PORTS = Ports(names=5353, streams=5354)


@dataclass
class _Closed(Blocklist):
    """A blocklist of its own, whatever network the host is on."""

    never: list[IPv4Network] = field(default_factory=lambda: [IPv4Network("127.0.0.0/8"), IPv4Network("10.200.0.0/16")])
    private: list[IPv4Network] = field(default_factory=lambda: [IPv4Network("10.0.0.0/8")])


CLOSED = _Closed()


def _rules(*networks: AllowedNetwork) -> tuple[list[str], list[str]]:
    """The rules of a policy's two chains: of what is forwarded, and of what goes by name."""
    policy = NetworkPolicy(networks=networks)
    name = chains(policy)
    lines = of_policy(INSTANCE, CLOSED, policy, PORTS).split("\n")
    made = [f"add chain inet loopyard_3 {kind}_{name}" for kind in "pn"]
    assert lines[:2] == made
    start = "add rule inet loopyard_3 {}_{} "
    forward, by_name = (
        [line.removeprefix(start.format(kind, name)) for line in lines if line.startswith(start.format(kind, name))]
        for kind in "pn"
    )
    assert len(lines) == 2 + len(forward) + len(by_name)
    return forward, by_name


BY_NAME = [
    "meta l4proto { tcp, udp } th dport 53 redirect to :5353",
    "ip daddr @closed accept",
    "meta l4proto tcp ip saddr . ip daddr @learned redirect to :5354",
]


def test_a_policy_that_names_no_network_forwards_nothing() -> None:
    forward, by_name = _rules()
    assert forward == ["ip daddr @closed goto refuse", "ip daddr @private goto refuse", "goto refuse"]
    assert by_name == BY_NAME


def test_a_public_network_stands_behind_the_private_ones_and_a_private_one_before() -> None:
    forward, by_name = _rules(AllowedNetwork("192.0.2.0/24"), AllowedNetwork("10.1.0.0/16"))
    assert forward == [
        "ip daddr @closed goto refuse",
        "ip daddr 10.1.0.0/16 accept",
        "ip daddr @private goto refuse",
        "ip daddr 192.0.2.0/24 accept",
        "goto refuse",
    ]
    assert by_name == [
        "ip daddr 10.1.0.0/16 accept",
        "ip daddr != @private ip daddr != @closed ip daddr 192.0.2.0/24 accept",
        *BY_NAME,
    ]


def test_a_network_that_is_wider_than_a_private_one_opens_only_what_is_public() -> None:
    forward, _ = _rules(AllowedNetwork("0.0.0.0/0"))
    assert forward.index("ip daddr @private goto refuse") < forward.index("ip daddr 0.0.0.0/0 accept")


@pytest.mark.parametrize(
    ("ports", "rules"),
    [
        ([PortRange(80, 80)], ["tcp dport { 80 }", "udp dport { 80 }"]),
        ([PortRange(80, 80, "tcp")], ["tcp dport { 80 }"]),
        ([PortRange(53, 53, "udp")], ["udp dport { 53 }"]),
        ([PortRange(90, 99, "tcp"), PortRange(80, 80, "tcp")], ["tcp dport { 80, 90-99 }"]),
        ([PortRange(1, 5, "tcp"), PortRange(6, 9, "tcp")], ["tcp dport { 1-9 }"]),
        ([PortRange(1, 5, "tcp"), PortRange(7, 9, "tcp")], ["tcp dport { 1-5, 7-9 }"]),
        ([PortRange(1, 9, "tcp"), PortRange(2, 3, "tcp")], ["tcp dport { 1-9 }"]),
        ([PortRange(1, 9, "tcp"), PortRange(9, 20, "tcp")], ["tcp dport { 1-20 }"]),
        ([PortRange(1, 1), PortRange(2, 2, "udp")], ["tcp dport { 1 }", "udp dport { 1-2 }"]),
    ],
)
def test_ports_are_sets_in_order_and_none_is_twice_in_one(ports: list[PortRange], rules: list[str]) -> None:
    forward, by_name = _rules(AllowedNetwork("192.0.2.0/24", tuple(ports)))
    assert forward[2:-1] == [f"ip daddr 192.0.2.0/24 {rule} accept" for rule in rules]
    prefix = "ip daddr != @private ip daddr != @closed "
    assert by_name[: len(rules)] == [f"{prefix}{rule}" for rule in forward[2:-1]]


def test_each_network_is_opened_at_its_own_ports() -> None:
    networks = AllowedNetwork("192.0.2.0/25"), AllowedNetwork("192.0.2.128/25", (PortRange(80, 80, "tcp"),))
    forward, _ = _rules(*networks, AllowedNetwork("198.51.100.0/24"))
    assert forward[2:-1] == [
        "ip daddr 192.0.2.0/25 accept",
        "ip daddr 192.0.2.128/25 tcp dport { 80 } accept",
        "ip daddr 198.51.100.0/24 accept",
    ]


def test_policies_share_chains_if_they_open_the_same_networks_in_whatever_order() -> None:
    one, two = AllowedNetwork("192.0.2.0/24"), AllowedNetwork("10.1.0.0/16", (PortRange(80, 80),))
    name = chains(NetworkPolicy(networks=(one, two), hostnames=("a.test",)))
    assert re.fullmatch("[0-9a-f]{16}", name)
    assert chains(NetworkPolicy(networks=(two, one), group="acc_1")) == name
    assert len({name, chains(NetworkPolicy()), chains(NetworkPolicy(networks=(one,)))}) == 3


def test_chains_are_emptied_before_they_are_removed() -> None:
    assert without_policy(INSTANCE, "abc").split("\n") == [
        f"{what} chain inet loopyard_3 {kind}_abc" for kind in "pn" for what in ("flush", "delete")
    ]


def _chain(text: str, name: str) -> list[str]:
    """The rules of a chain of the whole table."""
    found = re.search(rf"chain {name} {{\n(.*?)\n    }}", text, re.DOTALL)
    assert found is not None
    return [line.strip() for line in found[1].split("\n") if line.strip()]


def test_without_a_policy_the_closed_and_private_networks_are_refused_and_the_rest_is_open() -> None:
    text = whole(INSTANCE, CLOSED, ["192.0.2.53"], PORTS)
    assert text.strip().split("\n")[:3] == [
        "table inet loopyard_3",
        "delete table inet loopyard_3",
        "table inet loopyard_3 {",
    ]
    assert "set closed { type ipv4_addr; flags interval; auto-merge; elements = { 10.200.0.0/16, 127.0.0.0/8 }" in text
    assert "set private { type ipv4_addr; flags interval; auto-merge; elements = { 10.0.0.0/8 }" in text
    assert "set resolvers { type ipv4_addr; elements = { 192.0.2.53 }" in text
    assert _chain(text, "out") == [
        "ct state new add @flows { ip saddr ct count over 8192 } counter drop",
        "ip saddr vmap @policies",
        "ip daddr @resolvers meta l4proto { tcp, udp } th dport 53 accept",
        "ip daddr @closed goto refuse",
        "ip daddr @private goto refuse",
        "accept",
    ]


def test_what_comes_from_a_sandbox_has_its_own_address_and_leaves_as_the_hosts() -> None:
    text = whole(INSTANCE, CLOSED, [], PORTS)
    links = f'"{INSTANCE.link_prefix}*"'
    assert _chain(text, "origin")[1:] == [
        f"iifname != {links} accept",
        "meta nfproto != ipv4 counter drop",
        "ip saddr != 10.200.24.0/21 counter drop",
        "fib saddr . iif oif missing counter drop",
    ]
    assert _chain(text, "postrouting")[1:] == [f"ip saddr 10.200.24.0/21 oifname != {links} masquerade"]
    assert _chain(text, "forward")[1:] == [
        f"iifname {links} oifname {links} goto between",
        f"oifname {links} ct state established,related accept",
        f"oifname {links} counter drop",
        f"iifname {links} goto out",
    ]


def test_names_are_asked_here_where_no_resolver_can_be_asked() -> None:
    here = "fib daddr . iif type local meta l4proto { tcp, udp } th dport 53 redirect to :5353"
    assert here in _chain(whole(INSTANCE, CLOSED, [], PORTS), "led_here")
    text = whole(INSTANCE, CLOSED, ["192.0.2.53", "192.0.2.54"], PORTS)
    assert here not in text
    assert "elements = { 192.0.2.53, 192.0.2.54 }" in text


def test_the_rate_of_questions_and_streams_of_one_sandbox_is_limited() -> None:
    assert _chain(whole(INSTANCE, CLOSED, [], PORTS), "served") == [
        "ct state established accept",
        "th dport 5353 update @questions { ip saddr limit rate over 200/second burst 200 packets } counter drop",
        "th dport 5354 update @openings { ip saddr limit rate over 200/second burst 200 packets } counter drop",
        "accept",
    ]


def test_ports_of_the_host_are_open_to_guests_only_where_there_are_any() -> None:
    text = whole(INSTANCE, CLOSED, [], Ports(5353, 5354, host=(80, 443)))
    rule = "tcp dport { 80, 443 } fib daddr . iif type local"
    assert _chain(text, "input")[-3:] == [f"{rule} ip saddr vmap @guests", f"{rule} accept", "goto refuse"]
    closed = _chain(whole(INSTANCE, CLOSED, [], PORTS), "input")
    assert closed[-2:] == ["icmp type echo-request fib daddr . iif type local accept", "goto refuse"]
    assert not any("@guests" in rule for rule in closed)


def test_the_gateway_is_at_one_address_and_nobody_else_reaches_its_port() -> None:
    text = whole(INSTANCE, CLOSED, [], Ports(5353, 5354, gateway=4000))
    at = "tcp dport 4000 socket transparent 1"
    links = f'"{INSTANCE.link_prefix}*"'
    assert f"ip daddr {table.GATEWAY.host} tcp dport 80 redirect to :4000" in _chain(text, "led_here")
    chain = _chain(text, "input")
    assert chain[2] == f"iifname != {links} {at} counter drop"
    assert chain[4:7] == [f"{at} ct status dnat ip saddr vmap @guests", f"{at} ct status dnat accept", f"{at} drop"]
    assert _chain(text, "output")[1:] == [
        f"oifname {links} tcp sport 4000 tcp flags & rst == 0 ct status dnat ip daddr vmap @guests"
    ]
    assert len(_chain(whole(INSTANCE, CLOSED, [], PORTS), "output")) == 1


def test_nothing_stands_where_a_server_has_no_gateway_no_resolvers_and_no_ports() -> None:
    text = whole(INSTANCE, CLOSED, [], PORTS)
    links = f'"{INSTANCE.link_prefix}*"'
    served = "th dport { 5353, 5354 } socket transparent 1"
    assert _chain(text, "input")[1:] == [
        f"iifname != {links} {served} counter drop",
        f"iifname != {links} accept",
        f"ct status dnat meta l4proto {{ tcp, udp }} {served} goto served",
        "ct state established,related accept",
        "icmp type echo-request fib daddr . iif type local accept",
        "goto refuse",
    ]
    assert len(_chain(text, "led_here")) == 4
    assert re.search(r"set resolvers { type ipv4_addr; \n    }", text)
    assert len(_chain(whole(INSTANCE, CLOSED, ["192.0.2.53"], PORTS), "led_here")) == 3
