"""Tokens of create_pty_tunnel, which open terminals."""

import secrets
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.auth.acting import acting_key
from loopyard.auth.authenticator import Authenticator
from loopyard.devbox.models import Devbox
from loopyard.devbox.service import DevboxService
from loopyard.devbox.tunnel import address
from loopyard.identity.digest import digest
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import Database
from loopyard.kit.errors import Unauthorized
from loopyard.kit.http.in_flight import mark
from loopyard.pty.config import PtyConfig
from loopyard.pty.models import PtyTunnel
from loopyard.pty.repository import PtyTunnelRepository
from loopyard.pty.schemas import PtyTunnelView

_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Admitted:
    """The devbox that a token opens, and the API key that the token ends with."""

    devbox: Devbox
    made_by: str | None


class PtyTunnels:
    def __init__(
        self,
        database: Database,
        devboxes: DevboxService,
        authenticator: Authenticator,
        config: PtyConfig,
        domain: str | None,
    ) -> None:
        """`domain` is the one that tunnels' names end with, None for any."""
        self._database = database
        self._devboxes = devboxes
        self._authenticator = authenticator
        self._config = config
        self._domain = domain

    async def create(self, session: AsyncSession, account_id: str, devbox_id: str) -> PtyTunnelView:
        """A new token for a running devbox's terminals. Those made before it stay good.

        Raises:
            NotFound: The account has no such devbox.
            Busy, WrongState: It is not running.
        """
        await self._devboxes.get_running(session, account_id, devbox_id)
        tunnels = PtyTunnelRepository(session)
        await tunnels.delete_of_devbox(devbox_id, self._oldest())
        token, key = secrets.token_urlsafe(_TOKEN_BYTES), address.new_key("pty")
        row = PtyTunnel(
            token_digest=digest(token),
            tunnel_key=key,
            devbox_id=devbox_id,
            made_by=acting_key(),
            create_time_ms=now_ms(),
        )
        await tunnels.create(row)
        return PtyTunnelView(auth_token=token, tunnel_key=key)

    async def admit(self, host: str | None, authorization: str | None) -> Admitted:
        """The running devbox that a request is let into.

        Args:
            host: The request's Host: the name of the token's own tunnel, or any that is no tunnel's.
            authorization: The request's X-Runloop-Tunnel-Authorization.

        Raises:
            Unauthorized: The token is none, or not this tunnel's, or the API key that it was made with has ended.
            Busy, WrongState: The devbox is not running.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized(
                "Send the auth_token of create_pty_tunnel as 'X-Runloop-Tunnel-Authorization: Bearer <auth_token>'."
            )
        named = None if host is None else address.parse(host, self._domain)
        async with self._database.read() as session:
            found = await PtyTunnelRepository(session).get_by_token(digest(token.strip()), self._oldest())
            if found is None or (named is not None and named.tunnel_key != found[0].tunnel_key):
                raise Unauthorized("This token opens no terminal here. Get a new one by create_pty_tunnel.")
            devbox = await self._devboxes.get_running(session, found[1].account_id, found[1].id)
        if (made_by := found[0].made_by) is not None:
            if not await self._authenticator.is_good(made_by):
                raise Unauthorized("The API key that this token was made with is not good any more.")
            mark(made_by)
        return Admitted(devbox, made_by)

    def _oldest(self) -> int:
        return now_ms() - self._config.token_ttl_seconds * 1000
