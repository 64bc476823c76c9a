"""Decides whether a request may go through a tunnel, and gets it a connection to the devbox."""

import asyncio
import secrets
import socket
from collections.abc import Awaitable, Callable

from loopyard.auth.authenticator import Authenticator
from loopyard.devbox.lifecycle.states import FINAL, Status
from loopyard.devbox.models import Devbox
from loopyard.devbox.repository import DevboxRepository
from loopyard.devbox.schemas import TunnelView
from loopyard.devbox.tunnel.address import Address
from loopyard.devbox.tunnel.config import TunnelConfig
from loopyard.devbox.tunnel.errors import BadGateway, GatewayTimeout, NotRunning
from loopyard.kit.clock import now_ms
from loopyard.kit.db.changes import Changes
from loopyard.kit.db.database import Database
from loopyard.kit.errors import NotFound, Unauthorized, WaitTimeout
from loopyard.launch.parameters import LaunchParameters
from loopyard.runtime.errors import PortClosed, RuntimeFault
from loopyard.runtime.protocol import Runtime

AUTHORIZATION = b"x-runloop-tunnel-authorization"
"""The header that carries the token of an authenticated tunnel. It never reaches the devbox."""

_ASLEEP = frozenset({Status.SUSPENDING, Status.SUSPENDED, Status.RESUMING})
_CONNECT_PAUSE_SECONDS = 0.1

Wake = Callable[[Devbox], Awaitable[None]]
"""Resumes a suspended devbox; nothing if it is being resumed already."""


class Gate:
    def __init__(
        self,
        database: Database,
        runtime: Runtime,
        changes: Changes,
        wake: Wake,
        config: TunnelConfig,
        authenticator: Authenticator,
    ) -> None:
        self._database = database
        self._runtime = runtime
        self._changes = changes
        self._wake = wake
        self._config = config
        self._authenticator = authenticator

    async def admit(self, address: Address, authorization: str | None) -> Devbox:
        """The devbox that a tunnel leads to.

        Raises:
            NotFound: There is no such tunnel (any more), or the API key that it was made with has ended.
            Unauthorized: The tunnel wants its token, and this is not it.
        """
        async with self._database.read() as session:
            devbox = await DevboxRepository(session).get_by_tunnel_key(address.tunnel_key)
        if devbox is None or devbox.status in FINAL:
            raise NotFound("There is no such tunnel.")
        if not await self._authenticator.is_good(devbox.tunnel_made_by):
            raise NotFound("There is no such tunnel.")
        token = TunnelView.model_validate(devbox.tunnel).auth_token
        if token is not None and not _is_bearer(authorization, token):
            raise Unauthorized("Send the tunnel's auth_token as 'X-Runloop-Tunnel-Authorization: Bearer <token>'.")
        return devbox

    async def connect(self, devbox: Devbox, port: int) -> socket.socket:
        """A connection to a port of the devbox, woken first if it sleeps and asks for that.

        Raises:
            BadGateway: Nothing listens there.
            NotRunning: The devbox does not run, and is not to be woken.
            GatewayTimeout: It did not wake in time.
        """
        if devbox.status in _ASLEEP and _wakes_on_http(devbox):
            devbox = await self._wait_running(devbox)
        if devbox.status != Status.RUNNING:
            raise NotRunning(f"Devbox {devbox.id} is {devbox.status}.")
        # What listens in a devbox that has just woken is only being started, also for those who come a moment later.
        patience_ends = _woken_at_ms(devbox) + self._config.listen_seconds * 1000
        while True:
            try:
                return await self._connect(devbox.id, port)
            except BadGateway:
                if now_ms() > patience_ends:
                    raise
            await asyncio.sleep(_CONNECT_PAUSE_SECONDS)

    async def _connect(self, devbox_id: str, port: int) -> socket.socket:
        try:
            return await self._runtime.connect(devbox_id, port)
        except PortClosed as fault:
            raise BadGateway(f"Nothing listens on port {port} of the devbox.") from fault
        except RuntimeFault as fault:
            raise NotRunning(str(fault)) from fault

    async def _wait_running(self, devbox: Devbox) -> Devbox:
        asked = False

        async def read() -> Devbox:
            nonlocal asked
            async with self._database.read() as session:
                row = await DevboxRepository(session).get_by_id(devbox.id)
            if row is None or row.status in FINAL:
                raise NotRunning(f"Devbox {devbox.id} has ended.")
            if row.status == Status.SUSPENDED:
                if asked:
                    raise NotRunning(f"Devbox {devbox.id} could not be resumed.")
                asked = True
                await self._wake(row)
            return row

        try:
            return await self._changes.wait_until(
                devbox.id, read, lambda row: row.status == Status.RUNNING, self._config.wake_seconds
            )
        except WaitTimeout as error:
            raise GatewayTimeout(f"Devbox {devbox.id} did not wake in time.") from error


def _is_bearer(authorization: str | None, token: str) -> bool:
    scheme, _, given = (authorization or "").partition(" ")
    return scheme.lower() == "bearer" and secrets.compare_digest(given.strip().encode(), token.encode())


def _woken_at_ms(devbox: Devbox) -> int:
    """When the devbox was last resumed; 0 if never."""
    transitions = devbox.state_transitions
    woken = len(transitions) > 1 and transitions[-2]["status"] == Status.RESUMING
    return transitions[-1]["transition_time_ms"] if woken else 0


def _wakes_on_http(devbox: Devbox) -> bool:
    """`lifecycle.resume_triggers.http` decides where it is set, else the tunnel's own `wake_on_http`."""
    lifecycle = LaunchParameters.model_validate(devbox.launch_parameters).lifecycle
    trigger = lifecycle.resume_triggers.http if lifecycle and lifecycle.resume_triggers else None
    return TunnelView.model_validate(devbox.tunnel).wake_on_http if trigger is None else trigger
