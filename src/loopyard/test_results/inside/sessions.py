"""The judge's side of the reports: connections, and the test sessions that were told over them."""

import os
import select
import socket
from typing import Any, Dict, List, Optional

from .records import LONGEST_LINE, unsealed

_MOST = 4096
_PIECE = 1 << 16


class Session:
    """Session: a connection, and all tests that one process ran."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._rest = b""
        self._number = 0
        self._runs = {"begin": 0, "end": 0, "start": 0}
        self._told = 0
        self.records: List[Dict[str, Any]] = []
        self.runner_file = ""
        self.fault: Optional[str] = None

    def take(self, data: bytes) -> None:
        """Take what came in."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            self._take_line(line)
        if len(self._rest) > LONGEST_LINE:
            self.fault = self.fault or "a record was longer than any can be"
            self._rest = b""

    def _take_line(self, line: bytes) -> None:
        self._number += 1
        try:
            record = unsealed(self._key, self._number, line)
        except ValueError:
            record = None
        if record is None:
            self.fault = self.fault or "a record was missing, out of order, or not the reporter's"
        elif record.get("kind") == "changed":
            names = ", ".join(map(str, record.get("names", ())))
            self.fault = self.fault or "the code under test replaced {} of the test framework".format(names)
        elif record.get("kind") in self._runs:
            self._mark(record)
        else:
            self._told += 1
            self.records.append(record)

    def _mark(self, record: Dict[str, Any]) -> None:
        kind = record["kind"]
        self._runs[kind] += 1
        if kind == "begin":
            self._told = 0
            self.runner_file = str(record.get("file", ""))
        elif kind == "end" and record.get("count") != self._told:
            self.fault = self.fault or "results were missing at the end"

    @property
    def idle(self) -> bool:
        """True if nothing was begun: such a connection says nothing."""
        return not any(self._runs.values()) and self.fault is None

    def why_not(self) -> Optional[str]:
        """Why its results do not count; None if they do."""
        if self.fault is not None:
            return self.fault
        if self._rest or not self._runs["begin"] or self._runs["begin"] != self._runs["end"]:
            return "the tests did not run to their end: their process ended, or was ended, before"
        return None


class Listener:
    """Listens for reporters while the tests run."""

    def __init__(self, address: str) -> None:
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(address)
        self._listening.listen(64)
        self._listening.setblocking(False)
        self._open: Dict[socket.socket, Session] = {}
        self.sessions: List[Session] = []

    def serve(self, seconds: float) -> bool:
        """Take what is there, or comes in the time. Returns whether there was anything."""
        ready, _, _ = select.select([self._listening, *self._open], [], [], seconds)
        for one in ready:
            if one is self._listening:
                self._accept()
            else:
                self._read(one)
        return bool(ready)

    def close(self) -> None:
        """Take what was sent before, and nothing that comes later."""
        while self.serve(0):
            pass
        for one in [self._listening, *self._open]:
            one.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listening.accept()
        except OSError:
            return
        if len(self.sessions) >= _MOST or len(self._open) >= _MOST // 8:
            connection.close()
            return
        key = os.urandom(32)
        session = Session(key)
        try:
            connection.sendall(key)
        except OSError:
            connection.close()
            return
        connection.setblocking(False)
        self._open[connection] = session
        self.sessions.append(session)

    def _read(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._open[connection].take(data)
        else:
            del self._open[connection]
            connection.close()
