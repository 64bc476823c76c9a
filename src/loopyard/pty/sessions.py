"""The terminal sessions of this server. They end with it."""

import asyncio

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox.attachment.command import Attachment
from loopyard.devbox.attachment.login_shell import LOGIN_SHELL
from loopyard.devbox.faults import faults_as_answers
from loopyard.devbox.models import Devbox
from loopyard.kit.db.database import after_commit
from loopyard.kit.errors import BadRequest, NotFound
from loopyard.pty.config import PtyConfig
from loopyard.pty.repository import PtyTunnelRepository
from loopyard.pty.session import PtySession
from loopyard.runtime.protocol import CommandSpec, Runtime, Terminal


class PtySessions:
    def __init__(self, runtime: Runtime, config: PtyConfig) -> None:
        self._runtime = runtime
        self._config = config
        self._sessions: dict[str, dict[str, PtySession]] = {}
        self._making: dict[str, asyncio.Lock] = {}

    async def connect(self, devbox: Devbox, name: str, terminal: Terminal | None) -> tuple[PtySession, bool]:
        """The session of this name, and whether it is new. It takes on the size of `terminal`, if one is given.

        Raises:
            BadRequest: The devbox has as many sessions as it may.
            WrongState, Unavailable: The shell could not be started.
        """
        async with self._making.setdefault(devbox.id, asyncio.Lock()):
            there = self._sessions.setdefault(devbox.id, {})
            session = there.get(name)
            if session is not None:
                if terminal is not None:
                    session.resize(terminal.rows, terminal.columns)
                return session, False
            if len(there) >= self._config.most_sessions:
                raise BadRequest(f"A devbox may have {self._config.most_sessions} sessions; close one first.")
            terminal = terminal or Terminal()
            with faults_as_answers():
                shell = await Attachment.start(self._runtime, devbox.id, CommandSpec("", LOGIN_SHELL), terminal)
            session = PtySession(name, shell, terminal, self._config, lambda: self._forget(devbox.id, name))
            there[name] = session
            return session, True

    def get(self, devbox: Devbox, name: str) -> PtySession:
        """The session of this name.

        Raises:
            NotFound: There is none.
        """
        session = self._sessions.get(devbox.id, {}).get(name)
        if session is None:
            raise NotFound(f"Devbox {devbox.id} has no session {name}; connect to make one.", field="session_name")
        return session

    def names(self, devbox_id: str) -> list[str]:
        """The names of a devbox's sessions, in the order in which they were made."""
        return list(self._sessions.get(devbox_id, {}))

    def close(self, devbox_id: str | None = None) -> None:
        """End all sessions, or those of one devbox."""
        ids = list(self._sessions) if devbox_id is None else [devbox_id]
        for each in ids:
            for session in list(self._sessions.get(each, {}).values()):
                session.close("the devbox has ended" if devbox_id is not None else "the server is ending")
            self._making.pop(each, None)

    async def end_with(self, session: AsyncSession, devbox: Devbox) -> None:
        """The devbox ends: its tokens open nothing any more, and its sessions are over."""
        await PtyTunnelRepository(session).delete_of_devbox(devbox.id)
        after_commit(session, lambda: self.close(devbox.id))

    def _forget(self, devbox_id: str, name: str) -> None:
        there = self._sessions.get(devbox_id, {})
        there.pop(name, None)
        if not there:
            self._sessions.pop(devbox_id, None)
