"""Bounds the connections that have shown no valid key. They are told apart from the others, and closed first."""

import logging
import resource
from typing import Protocol

from starlette.types import Scope

from loopyard.connections.config import ConnectionSettings
from loopyard.connections.fair_turns import BEGINNING, READING, FairTurns

log = logging.getLogger("loopyard.connections")

HEAD_BYTES = 128 << 10
"""How long a request's head may be: the clients' longest have some KiB."""

MOST_FIELDS = 1000
"""How many fields it may have: whoever looks for one goes through them all."""

_LIMITED = "loopyard.connection"
_WANTED_FILES = 1 << 20
_FEW_FILES = 8192
_LEAST = 64


class Limited(Protocol):
    """A connection that can be closed at once."""

    def drop(self) -> None: ...

    def let_in(self) -> None:
        """A request on it was let in."""
        ...


class ConnectionLimits:
    """Limits on the connections of a server's port; one object for each port."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self.settings = settings
        self.reading, self.beginning = FairTurns(READING), FairTurns(BEGINNING)
        self._most = settings.most_unknown or max(_LEAST, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)
        self._unknown: dict[Limited, None] = {}
        self._told = False

    def add(self, connection: Limited) -> None:
        """Count a new connection; the one that has been without a key for longest is closed if there are too many."""
        self._unknown[connection] = None
        if len(self._unknown) > self._most:
            oldest = next(iter(self._unknown))
            del self._unknown[oldest]
            oldest.drop()
            if not self._told:
                self._told = True
                log.warning("more than %s connections show no key; the oldest of them are closed", self._most)

    def forget(self, connection: Limited) -> None:
        """Count a connection no more: it has shown a key, or is closed."""
        self._unknown.pop(connection, None)


def put_into(scope: Scope, connection: Limited) -> None:
    """Write down which connection a request came by."""
    scope[_LIMITED] = connection


def let_in(scope: Scope) -> None:
    """Tell the connection that a request came by that the request may be made: by its key, or by a tunnel's."""
    connection: Limited | None = scope.get(_LIMITED)
    if connection is not None:
        connection.let_in()


def raise_open_files() -> None:
    """Let this process have as many open files as the host allows. Sandboxes have their own limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, _WANTED_FILES)
    if soft == resource.RLIM_INFINITY or soft >= most:
        most = soft
    else:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most != resource.RLIM_INFINITY and most < _FEW_FILES:
        log.warning(
            "this process may have %s open files at most; for many devboxes raise that: LimitNOFILE= in a systemd "
            "unit, or `ulimit -Hn` before the start",
            most,
        )
