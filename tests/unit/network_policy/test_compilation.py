"""Policies in the wire's words: what is refused, and what the runtime gets of them."""

from typing import Any

import pytest
from pydantic import ValidationError

from loopyard.network_policy.compilation import compiled
from loopyard.network_policy.models import NetworkPolicy
from loopyard.network_policy.networks import MAX_PORTS, AllowedCidr, PortRule
from loopyard.network_policy.schemas import MAX_CIDRS, MAX_HOSTNAMES, NetworkPolicyCreateParams, NetworkPolicyView
from loopyard.runtime import protocol
from loopyard.runtime.protocol import AllowedNetwork, PortRange


def _policy(**fields: object) -> NetworkPolicy:
    rules = ("allow_agent_gateway", "allow_all", "allow_devbox_to_devbox", "allow_mcp_gateway", "allow_runloop_mirrors")
    closed: dict[str, object] = dict.fromkeys(rules, False)
    kept: dict[str, object] = {
        "allowed_cidrs": [],
        "allowed_hostnames": [],
        "create_time_ms": 1,
        "update_time_ms": 2,
        "description": None,
    }
    row: dict[str, Any] = {"id": "npl_1", "account_id": "acc_1", "name": "p", **closed, **kept, **fields}
    row["allowed_cidrs"] = [AllowedCidr.model_validate(one) for one in row["allowed_cidrs"]]
    return NetworkPolicy(**row)


def test_a_policy_that_says_nothing_opens_nothing() -> None:
    assert compiled(_policy()) == protocol.NetworkPolicy()


@pytest.mark.parametrize(
    ("fields", "rules"),
    [
        ({"allow_all": True}, {"allow_all": True, "group": "acc_1"}),
        ({"allow_devbox_to_devbox": True}, {"group": "acc_1"}),
        ({"allow_runloop_mirrors": True}, {"mirrors": True}),
        ({"allow_agent_gateway": True}, {"gateway": True}),
        ({"allow_mcp_gateway": True}, {"gateway": True}),
        ({"allowed_hostnames": ["GitHub.com.", "*.Example.org"]}, {"hostnames": ("github.com", "*.example.org")}),
        ({"allowed_cidrs": [{"cidr": "10.1.0.0/16"}]}, {"networks": (AllowedNetwork("10.1.0.0/16"),)}),
        (
            {"allowed_cidrs": [{"cidr": "10.1.0.0/16", "ports": [{"port": 80}, {"port": 1, "end_port": 9}]}]},
            {"networks": (AllowedNetwork("10.1.0.0/16", (PortRange(80, 80), PortRange(1, 9))),)},
        ),
        (
            {"allowed_cidrs": [{"cidr": "10.1.0.0/16", "ports": [{"port": 5, "protocol": "TCP"}]}]},
            {"networks": (AllowedNetwork("10.1.0.0/16", (PortRange(5, 5, "tcp"),)),)},
        ),
        (
            {"allowed_cidrs": [{"cidr": "10.1.0.0/16", "ports": [{"port": 5, "protocol": "UDP"}]}]},
            {"networks": (AllowedNetwork("10.1.0.0/16", (PortRange(5, 5, "udp"),)),)},
        ),
    ],
)
def test_each_rule_opens_what_it_names_and_nothing_else(fields: dict[str, object], rules: dict[str, object]) -> None:
    assert compiled(_policy(**fields)) == protocol.NetworkPolicy(**rules)  # pyright: ignore[reportArgumentType]


def _taken(**fields: object) -> NetworkPolicyCreateParams:
    return NetworkPolicyCreateParams.model_validate({"name": "p", **fields})


@pytest.mark.parametrize(
    "name", ["github.com", "*.example.org", "xn--bcher-kva.example", "a.b.c.d.example", "GITHUB.COM"]
)
def test_names_that_are_taken(name: str) -> None:
    assert _taken(allowed_hostnames=[name]).allowed_hostnames == [name]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("*", "'*' alone would allow every name; use allow_all for that"),
        ("bücher.example", "write it in its ASCII form (xn--…)"),
        ("a.*.example", "must be a host's name such as github.com, or *.example.org; no port, path or other wildcard"),
        ("github.com:443", "must be a host's name such as github.com"),
        ("https://github.com/", "must be a host's name such as github.com"),
        ("*.*.example", "must be a host's name such as github.com"),
        ("", "must be a host's name such as github.com"),
        ("192.0.2.1", "must be a name; put addresses into allowed_cidrs"),
        ("*.2", "must be a name; put addresses into allowed_cidrs"),
        ("a" * 257, "at most 256"),
    ],
)
def test_names_that_are_refused(name: str, why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        _taken(allowed_hostnames=[name])
    assert why in str(refused.value)
    assert f"Value error, {why}" in str(refused.value) or len(name) > 256


@pytest.mark.parametrize(
    ("cidr", "why"),
    [
        ("10.1.2.0/16", "must be written as 10.1.0.0/16, with the bits of the host zero"),
        ("10.1.0.1", "must be written as 10.1.0.1/32"),
        ("10.0.0.0/255.0.0.0", "must be written as 10.0.0.0/8"),
        ("::/0", "must be an IPv4 network such as 10.12.0.0/16"),
        ("somewhere", "must be an IPv4 network such as 10.12.0.0/16"),
    ],
)
def test_networks_that_are_refused(cidr: str, why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        AllowedCidr(cidr=cidr)
    assert f"Value error, {why}" in str(refused.value)
    assert AllowedCidr(cidr="0.0.0.0/0").cidr == "0.0.0.0/0"


@pytest.mark.parametrize(
    "rule",
    [
        {"port": 1},
        {"port": 65535},
        {"port": 5, "end_port": 5},
        {"port": 5, "end_port": 6},
        {"port": 5, "protocol": "TCP"},
    ],
)
def test_rules_of_ports_that_are_taken(rule: dict[str, object]) -> None:
    assert PortRule.model_validate(rule).model_dump(exclude_none=True) == rule


@pytest.mark.parametrize("rule", [{"port": 0}, {"port": 65536}, {"port": 5, "protocol": "ICMP"}])
def test_rules_of_ports_that_are_refused(rule: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PortRule.model_validate(rule)


def test_a_range_of_ports_begins_at_its_first() -> None:
    with pytest.raises(ValidationError, match="end_port must not be less than port"):
        PortRule(port=5, end_port=4)


def test_the_limits_of_one_policy() -> None:
    names = [f"h{n}.test" for n in range(MAX_HOSTNAMES)]
    networks = [{"cidr": f"10.{n // 256}.{n % 256}.0/24"} for n in range(MAX_CIDRS)]
    ports = [{"port": 1}] * MAX_PORTS
    _taken(allowed_hostnames=names, allowed_cidrs=networks)
    _taken(allowed_cidrs=[{"cidr": "10.0.0.0/8", "ports": ports}])
    for fields in (
        {"allowed_hostnames": [*names, "one.more"]},
        {"allowed_cidrs": [*networks, {"cidr": "11.0.0.0/8"}]},
        {"allowed_cidrs": [{"cidr": "10.0.0.0/8", "ports": [*ports, {"port": 2}]}]},
        {"name": " \t"},
        {"name": "n" * 1025},
        {"description": "d" * 16385},
    ):
        with pytest.raises(ValidationError):
            _taken(**fields)


def test_a_view_tells_each_field_and_that_allow_all_opens_devboxes_to_each_other() -> None:
    flags = ("allow_agent_gateway", "allow_devbox_to_devbox", "allow_mcp_gateway", "allow_runloop_mirrors")
    for flag in flags:
        egress = NetworkPolicyView.of(_policy(**{flag: True})).egress.model_dump()
        assert [name for name in flags if egress[name]] == [flag]
        assert egress["allow_all"] is False
    egress = NetworkPolicyView.of(_policy(allow_all=True)).egress
    assert (egress.allow_all, egress.allow_devbox_to_devbox) == (True, True)
    view = NetworkPolicyView.of(
        _policy(allowed_hostnames=["a.test"], allowed_cidrs=[{"cidr": "10.0.0.0/8"}], description="why")
    )
    assert (view.id, view.name, view.description) == ("npl_1", "p", "why")
    assert (view.create_time_ms, view.update_time_ms) == (1, 2)
    assert view.egress.allowed_hostnames == ["a.test"]
    assert view.egress.allowed_cidrs == [AllowedCidr(cidr="10.0.0.0/8")]


def test_a_refusal_ends_with_its_reason() -> None:
    def refusal(**fields: object) -> str:
        with pytest.raises(ValidationError) as refused:
            _taken(**fields)
        return refused.value.errors()[0]["msg"]

    assert refusal(name=" ") == "Value error, must not be blank"
    names = {
        "*": "'*' alone would allow every name; use allow_all for that",
        "ü.example": "write it in its ASCII form (xn--…)",
        "a b": "must be a host's name such as github.com, or *.example.org; no port, path or other wildcard",
        "192.0.2.1": "must be a name; put addresses into allowed_cidrs",
    }
    for name, why in names.items():
        assert refusal(allowed_hostnames=[name]) == f"Value error, {why}"
    why = "must be an IPv4 network such as 10.12.0.0/16"
    assert refusal(allowed_cidrs=[{"cidr": "somewhere"}]) == f"Value error, {why}"
