"""Which addresses upstreams may have."""

import asyncio
import ipaddress
from typing import Any

import pytest

from loopyard.upstream_proxy.addresses import Addresses, AddressRefused

pytestmark = pytest.mark.anyio

PUBLIC, PRIVATE = "93.184.216.34", "10.1.2.3"


def _rule(*networks: str) -> Addresses:
    """The rule of a host that has none of the addresses here."""
    return Addresses(networks, lambda _: False)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "fe80::1",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "0.0.0.0",  # noqa: S104
        "::",
        "224.0.0.1",
        "ff02::1",
    ],
)
def test_some_are_never_open(address: str) -> None:
    everything = Addresses(["0.0.0.0/0", "::/0"])
    assert everything.check(ipaddress.ip_address(address), secure=True) is not None


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "198.18.0.1",
        "192.0.0.1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "240.0.0.1",
    ],
)
def test_private_ones_are_open_where_the_operator_names_them(address: str) -> None:
    reason = _rule().check(ipaddress.ip_address(address), secure=True)
    assert reason is not None
    assert "LOOPYARD_GATEWAY__ALLOWED_NETWORKS" in reason
    named = Addresses(["0.0.0.0/1", "128.0.0.0/1", "::/0"])
    assert named.check(ipaddress.ip_address(address), secure=False) is None


def test_clear_text_goes_to_named_networks_only() -> None:
    assert _rule().check(ipaddress.ip_address(PUBLIC), secure=True) is None
    assert "http://" in (_rule().check(ipaddress.ip_address(PUBLIC), secure=False) or "")
    assert _rule(f"{PUBLIC}/32").check(ipaddress.ip_address(PUBLIC), secure=False) is None


async def test_a_name_is_connected_to_at_addresses_that_were_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[list[str]] = [[PRIVATE, PUBLIC], [PRIVATE]]

    async def look_up(*_: object, **__: object) -> list[Any]:
        return [(2, 1, 6, "", (one, 443)) for one in answers.pop(0)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up, raising=False)
    rule = _rule()
    assert await rule.find("example.com", 443, secure=True) == [ipaddress.ip_address(PUBLIC)]
    with pytest.raises(AddressRefused, match="private"):
        await rule.find("example.com", 443, secure=True)
