"""SSH connection of one client: which devbox its key opens, and which requests are allowed."""

from collections.abc import Awaitable
from typing import Any

import asyncssh
from asyncssh.constants import OPEN_RESOURCE_SHORTAGE

from loopyard.auth.authenticator import Authenticator
from loopyard.devbox.lifecycle.activity import Activity
from loopyard.devbox.lifecycle.states import FINAL
from loopyard.devbox.models import Devbox
from loopyard.devbox.ssh import forwarding
from loopyard.devbox.ssh.keys import user_of
from loopyard.devbox.ssh.repository import SshKeyRepository
from loopyard.devbox.ssh.session import BoxSession
from loopyard.kit.db.database import Database
from loopyard.runtime.protocol import Runtime

MOST_SESSIONS = 32
"""How many shells, commands and file transfers one connection may have at the same time."""


class BoxConnection(asyncssh.SSHServer):
    """Lets a key into the one devbox it was made for, as that devbox's user."""

    def __init__(self, database: Database, runtime: Runtime, activity: Activity, authenticator: Authenticator) -> None:
        self._database = database
        self._runtime = runtime
        self._activity = activity
        self._authenticator = authenticator
        self.made_by: str | None = None
        """The API key that the SSH key which opened the devbox was made with."""
        self._connection: asyncssh.SSHServerConnection | None = None
        self._devbox: Devbox | None = None
        self._sessions: set[BoxSession] = set()

    @property
    def devbox_id(self) -> str | None:
        """The devbox that the key opened; None before that."""
        return None if self._devbox is None else self._devbox.id

    @property
    def account_id(self) -> str | None:
        """The account of that devbox; None before that."""
        return None if self._devbox is None else self._devbox.account_id

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        del username
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        async with self._database.read() as session:
            found = await SshKeyRepository(session).get_by_fingerprint(key.get_fingerprint())
        if found is None or found[1].status in FINAL or username != user_of(found[1]):
            return False
        if not await self._authenticator.is_good(found[0].made_by):
            return False
        self.made_by, self._devbox = found[0].made_by, found[1]
        return True

    def session_requested(self) -> Any:
        if self._devbox is None or self._connection is None:
            return False
        if len(self._sessions) >= MOST_SESSIONS:
            raise asyncssh.ChannelOpenError(
                OPEN_RESOURCE_SHORTAGE, f"A connection may have {MOST_SESSIONS} sessions at a time."
            )
        session = BoxSession(self._devbox, self._runtime, self._activity, self._sessions.discard)
        self._sessions.add(session)
        channel: Any = self._connection.create_server_channel(encoding=None)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return channel, session

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> Any:
        del orig_host, orig_port
        if self._devbox is None:
            return False
        return forwarding.connect(self._runtime, self._activity, self._devbox, dest_host, dest_port)

    def server_requested(self, listen_host: str, listen_port: int) -> Any:
        if self._devbox is None or self._connection is None:
            return False
        return self._listen(self._connection, self._devbox, listen_host, listen_port)

    async def _listen(
        self, connection: asyncssh.SSHServerConnection, devbox: Devbox, host: str, port: int
    ) -> forwarding.BoxListener | None:
        def open_channel(
            listening_port: int, from_host: str, from_port: int
        ) -> Awaitable[tuple[asyncssh.SSHReader[bytes], asyncssh.SSHWriter[bytes]]]:
            opening: Any = connection.open_connection(host, listening_port, from_host, from_port, encoding=None)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            return opening

        return await forwarding.BoxListener.open(self._runtime, devbox, host, port, open_channel)
