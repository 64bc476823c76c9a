"""The sessions of those who are logged in. They live in memory: the server's end ends them."""

import hashlib
import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager

from loopyard.kit.clock import now_ms

MOST_SESSIONS = 10_000
"""The most sessions in all; the oldest gives way."""
MOST_OF_KEY = 100
"""The most sessions of a key."""


class Session:
    """A login. The token of its cookie is not kept, only what it hashes to."""

    def __init__(self, digest: str, key_id: str, until_ms: int, *, is_of_server: bool) -> None:
        self.digest = digest
        self.key_id = key_id
        self.csrf = secrets.token_urlsafe(32)
        self.until_ms = until_ms
        self.is_of_server = is_of_server
        """True if its account is the server's own."""
        self.note: str | None = None
        """Message for the next page."""
        self._closed = False
        self._tells: set[Callable[[], object]] = set()

    @property
    def is_over(self) -> bool:
        return self._closed or self.until_ms <= now_ms()

    @contextmanager
    def telling(self, tell: Callable[[], object]) -> Generator[None]:
        """Have `tell` called when the session is closed inside. It must not wait."""
        self._tells.add(tell)
        try:
            yield
        finally:
            self._tells.discard(tell)

    def close(self) -> None:
        self._closed = True
        for tell in list(self._tells):
            tell()


class Sessions:
    def __init__(self, hours: float) -> None:
        self._lasting_ms = int(hours * 3_600_000)
        self._sessions: dict[str, Session] = {}

    @property
    def lasting_seconds(self) -> int:
        return self._lasting_ms // 1000

    def open(self, key_id: str, *, is_of_server: bool = False) -> tuple[str, Session]:
        """A new session, and its token."""
        self._make_room(key_id)
        token = secrets.token_urlsafe(32)
        session = Session(_digest(token), key_id, now_ms() + self._lasting_ms, is_of_server=is_of_server)
        self._sessions[session.digest] = session
        return token, session

    def find(self, token: str | None) -> Session | None:
        """The session of a token, if it is not over."""
        session = None if token is None else self._sessions.get(_digest(token))
        if session is not None and session.is_over:
            self.close(session)
            return None
        return session

    def close(self, session: Session) -> None:
        """End a session, and what is open with it."""
        self._sessions.pop(session.digest, None)
        session.close()

    def _make_room(self, key_id: str) -> None:
        for session in [one for one in self._sessions.values() if one.is_over]:
            self.close(session)
        own = [one for one in self._sessions.values() if one.key_id == key_id]
        if len(own) >= MOST_OF_KEY:
            self.close(own[0])
        if len(self._sessions) >= MOST_SESSIONS:
            self.close(next(iter(self._sessions.values())))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
