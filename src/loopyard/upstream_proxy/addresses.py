"""Which addresses an upstream may have. A name is looked up here, and what is connected to is what was checked."""

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address

_NEVER = tuple(
    map(ipaddress.ip_network, ("169.254.0.0/16", "fe80::/10", "fd00:ec2::/32", "224.0.0.0/4", "ff00::/8", "0.0.0.0/8"))
)
"""Link-local addresses, where clouds tell secrets, multicast, and what stands for no host."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_own(address: Address) -> bool:
    """True if it is one of this host's own addresses, at this moment."""
    family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError as error:
        # Where there is no IPv6 at all, no address of it is this host's.
        return error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return True


class AddressRefused(Exception):
    """No credential is sent to this host; the message says why and what to do."""


class Addresses:
    """The rule of one server: the public internet, and the networks that its operator names."""

    def __init__(self, allowed_networks: Sequence[str], is_own: Callable[[Address], bool] = is_own) -> None:
        """`is_own` tells the host's own addresses."""
        self._is_own = is_own
        self._named = [ipaddress.ip_network(network, strict=False) for network in allowed_networks]

    @property
    def any_named(self) -> bool:
        """True if the operator names any network."""
        return bool(self._named)

    def is_named(self, address: Address) -> bool:
        """True if the operator names a network that has it."""
        plain = _plain(address)
        return not _is_in(plain, _NEVER) and _is_in(plain, self._named)

    def check(self, address: Address, *, secure: bool) -> str | None:
        """Why an upstream may not have this address; None if it may. `secure` tells that it is spoken to by TLS."""
        plain = _plain(address)
        if _is_in(plain, _NEVER) or plain.is_unspecified:
            return f"{address} is a link-local, multicast or unspecified address, which no upstream may have"
        if self.is_named(plain):
            return None
        if not plain.is_global or plain.is_multicast or self._is_own(plain):
            return f"{address} is private; the operator opens networks by LOOPYARD_GATEWAY__ALLOWED_NETWORKS"
        if not secure:
            return "http:// would send the credential in clear text; use https://"
        return None

    async def find(self, host: str, port: int, *, secure: bool) -> list[Address]:
        """The addresses of a host that may be connected to, best first.

        Raises:
            AddressRefused: It has some, but may have none of them.
            OSError: It has none.
        """
        found = await _look_up(host, port)
        reasons = {address: self.check(address, secure=secure) for address in found}
        allowed = [address for address, reason in reasons.items() if reason is None]
        if not allowed:
            raise AddressRefused(f"{host}: {next(iter(reasons.values()))}.")
        return allowed


async def _look_up(host: str, port: int) -> list[Address]:
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        pass
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # An address with a zone (fe80::1%eth0) is link-local.
    return list(dict.fromkeys(ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found))


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour or address


def _is_in(address: Address, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
