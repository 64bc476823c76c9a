"""Capability of providers whose sandboxes can reach a server of this host, and can be told apart there."""

import socket
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class GatewayAddress:
    """Where sandboxes find the gateway: the same IPv4 address and TCP port in every sandbox, for good."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The URL of it, without a path."""
        return f"http://{self.host}" if self.port == 80 else f"http://{self.host}:{self.port}"


@runtime_checkable
class HasHostGateway(Protocol):
    """A provider that leads connections to one address, from the sandboxes whose policy has `gateway` or that have no
    policy, to a socket of this process. Nobody but sandboxes reaches that socket. Other sandboxes are refused."""

    @property
    def gateway_address(self) -> GatewayAddress:
        """Where sandboxes connect to."""
        ...

    def gateway_socket(self) -> socket.socket:
        """A listening TCP socket, not blocking; a duplicate, which the caller closes. A connection's peer address names
        its sandbox: the host drops packets with another source."""
        ...

    def sandbox_at(self, address: str) -> str | None:
        """The id of the sandbox that has this address now; None if there is none."""
        ...
