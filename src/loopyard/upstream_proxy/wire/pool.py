"""Connections to upstreams, kept for the next call."""

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path

from loopyard.upstream_proxy.addresses import Addresses, AddressRefused
from loopyard.upstream_proxy.endpoint import Endpoint
from loopyard.upstream_proxy.wire.errors import UpstreamFault
from loopyard.upstream_proxy.wire.http1 import Http1Connection
from loopyard.upstream_proxy.wire.http2 import Http2Connection
from loopyard.upstream_proxy.wire.message import BUFFER_BYTES, UpstreamConnection

_IDLE_SECONDS = 30.0
_MOST_IDLE = 64
"""Of one account and upstream."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose connections to where may serve each other's calls. Accounts share none."""

    account_id: str
    scheme: str
    host: str
    port: int
    http1_only: bool


class Pool:
    """Opens connections to addresses that were checked, and keeps those that are done with for half a minute."""

    def __init__(
        self, addresses: Addresses, *, ca_bundle: Path | None, connect_seconds: float, answer_seconds: float
    ) -> None:
        self._addresses = addresses
        self._connect_seconds = connect_seconds
        self._answer_seconds = answer_seconds
        self._tls = {http1: _tls(ca_bundle, http1_only=http1) for http1 in (False, True)}
        self._idle: dict[Origin, list[tuple[UpstreamConnection, asyncio.TimerHandle]]] = {}

    async def take(
        self, account_id: str, endpoint: Endpoint, *, http1_only: bool = False, fresh: bool = False
    ) -> tuple[Origin, UpstreamConnection]:
        """A connection to the upstream, which is the caller's until it is given back or closed.

        Raises:
            UpstreamFault: It cannot be reached.
            AddressRefused: It has an address that no upstream may have.
        """
        origin = Origin(account_id, endpoint.scheme, endpoint.host, endpoint.port, http1_only)
        idle = self._idle.get(origin, [])
        while idle:
            connection, timer = idle.pop()
            timer.cancel()
            if not fresh and connection.begin():
                return origin, connection
            connection.close()
        return origin, await self._open(endpoint, http1_only=http1_only)

    def give_back(self, origin: Origin, connection: UpstreamConnection) -> None:
        """Keep the connection if another call can use it, else close it."""
        idle = self._idle.setdefault(origin, [])
        if not connection.reusable or len(idle) >= _MOST_IDLE:
            connection.close()
            return
        timer = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._drop, origin, connection)
        idle.append((connection, timer))

    def _drop(self, origin: Origin, connection: UpstreamConnection) -> None:
        left = [one for one in self._idle.get(origin, ()) if one[0] is not connection]
        if left:
            self._idle[origin] = left
        else:
            self._idle.pop(origin, None)
        connection.close()

    async def _open(self, endpoint: Endpoint, *, http1_only: bool) -> UpstreamConnection:
        where = f"{endpoint.host}:{endpoint.port}"
        try:
            async with asyncio.timeout(self._connect_seconds):
                reader, writer = await self._connect(endpoint, http1_only=http1_only)
        except TimeoutError as error:
            message = f"The upstream {where} could not be connected to within {self._connect_seconds:g} s."
            raise UpstreamFault(message, timed_out=True) from error
        except ssl.SSLCertVerificationError as error:
            raise UpstreamFault(f"The certificate of {where} is not trusted: {error.verify_message}.") from error
        except OSError as error:
            raise UpstreamFault(
                f"The upstream {where} could not be connected to: {error.strerror or error}."
            ) from error
        secure = writer.get_extra_info("ssl_object")
        if secure is not None and secure.selected_alpn_protocol() == "h2":
            return Http2Connection(reader, writer, self._answer_seconds)
        return Http1Connection(reader, writer, self._answer_seconds)

    async def _connect(
        self, endpoint: Endpoint, *, http1_only: bool
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to one of the addresses that were checked: by the name again, it could be another."""
        addresses = await self._addresses.find(endpoint.host, endpoint.port, secure=endpoint.secure)
        refused: OSError | None = None
        for address in addresses:
            try:
                return await asyncio.open_connection(
                    str(address),
                    endpoint.port,
                    limit=BUFFER_BYTES,
                    ssl=self._tls[http1_only] if endpoint.secure else None,
                    server_hostname=endpoint.host if endpoint.secure else None,
                )
            except ssl.SSLError:
                raise
            except OSError as error:
                refused = error
        raise refused or AddressRefused(endpoint.host)


def _tls(ca_bundle: Path | None, *, http1_only: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=None if ca_bundle is None else str(ca_bundle))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"] if http1_only else ["h2", "http/1.1"])
    return context
