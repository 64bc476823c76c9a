"""Which addresses are nobody's business: closed to every sandbox, or unless a policy names them."""

import errno
import ipaddress
import socket
import struct
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from loopyard.runtime.protocol import NetworkPolicy

_NEVER = ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")
"""This host, link-local addresses (where clouds keep their metadata), multicast and reserved addresses."""

_PRIVATE = ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15")
"""Addresses that mean something else in each network (RFC 6890)."""


class Blocklist:
    """Blocklist of addresses on this host, as it was when this was made."""

    def __init__(self, sandboxes: IPv4Network) -> None:
        """`sandboxes` is the network of the sandboxes of all servers here."""
        self.never = [*map(IPv4Network, _NEVER), sandboxes]
        neighbours = [network for network in _on_link() if not network.overlaps(sandboxes)]
        self.private = list(ipaddress.collapse_addresses([*map(IPv4Network, _PRIVATE), *neighbours]))

    def is_private(self, network: IPv4Network) -> bool:
        """True if all of the network is private, so that a policy that names it means just that."""
        return any(network.subnet_of(private) for private in self.private)

    def is_never_open(self, address: IPv4Address) -> bool:
        """True if no policy opens it."""
        return any(address in network for network in self.never) or _is_own(address)

    def is_open(self, address: IPv4Address) -> bool:
        """True if it may be reached where nothing says otherwise."""
        return not self.is_never_open(address) and not any(address in network for network in self.private)

    def is_named(self, address: IPv4Address, policy: NetworkPolicy) -> bool:
        """True if it is a private address that the policy opens by naming a private network."""
        if self.is_never_open(address):
            return False
        networks = [IPv4Network(network.cidr) for network in policy.networks]
        return any(address in network and self.is_private(network) for network in networks)


def _on_link() -> list[IPv4Network]:
    """The networks that this host is a part of."""
    found: list[IPv4Network] = []
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        _, destination, gateway, *_, mask = line.split()[:8]
        if gateway == "00000000" and mask != "00000000":
            found.append(IPv4Network((_from_hex(destination), int(mask, 16).bit_count())))
    return found


def _from_hex(text: str) -> int:
    return int.from_bytes(struct.pack("=I", int(text, 16)), "big")


def _is_own(address: IPv4Address) -> bool:
    """True if it is one of this host's own addresses, at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError as error:
            return error.errno != errno.EADDRNOTAVAIL
    return True
