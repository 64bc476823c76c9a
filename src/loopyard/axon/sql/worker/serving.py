"""The life of one worker: it answers calls about one axon until the server closes the connection."""

import signal
import socket
from collections.abc import Sequence
from typing import Any

import orjson

from loopyard.axon.sql.worker import frames, limits
from loopyard.axon.sql.worker.database import AxonDatabase, StatementFailed
from loopyard.axon.sql.worker.events_table import Source


class Worker:
    """Runs calls on one axon's database."""

    def __init__(self, connection: socket.socket, path: str) -> None:
        self._connection = connection
        self._path = path
        self._last: int | None = None
        self._database: AxonDatabase | None = None

    def run(self) -> None:
        """Answer until the server is gone."""
        while (message := frames.receive(self._connection)) is not None:
            signal.setitimer(signal.ITIMER_REAL, limits.SECONDS + 2 * limits.GRACE_SECONDS)  # kills, server or not
            kind, body = self._answer(orjson.loads(message[1]))
            signal.setitimer(signal.ITIMER_REAL, 0)
            frames.send(self._connection, kind, body)

    def _answer(self, call: dict[str, Any]) -> tuple[bytes, bytes]:
        self._last = None
        try:
            if self._database is None:
                self._database = AxonDatabase(self._path, Source(self._last_sequence, self._fetch))
            return self._call(self._database, call)
        except StatementFailed as failure:
            return frames.REFUSAL, orjson.dumps({"message": str(failure)})
        except Exception as error:
            return frames.REFUSAL, orjson.dumps({"message": f"{type(error).__name__}: {error}"})

    def _call(self, database: AxonDatabase, call: dict[str, Any]) -> tuple[bytes, bytes]:
        key: str | None = call["key"]
        database.begin(limits.SECONDS)
        try:
            if key is not None and (kept := database.answer_of(key)) is not None:
                return self._repeated(database, call, kept)
            run = _batch if call["batch"] else _query
            answer, whole = run(database, call["statements"])
            if whole:
                if key is not None:
                    database.keep_answer(key, call["digest"], answer)
                database.commit()
            return frames.ANSWER, answer
        finally:
            database.roll_back()

    def _repeated(self, database: AxonDatabase, call: dict[str, Any], kept: bytes) -> tuple[bytes, bytes]:
        """The answer that was `kept` under a call's key, if that was the same call."""
        digest = database.digest_of(call["key"])
        if digest not in (None, call["digest"]):
            return frames.KEY_TAKEN, b""
        return frames.ANSWER, kept

    def _last_sequence(self) -> int:
        """The last sequence, asked for once in a call, so that a call sees one state of the events."""
        if self._last is None:
            self._last = int(self._ask({"last": True}))
        return self._last

    def _fetch(self, first: int, last: int, count: int, newest_first: bool, columns: Sequence[str]) -> Any:
        return self._ask(
            {"first": first, "until": last, "count": count, "newest_first": newest_first, "columns": columns}
        )

    def _ask(self, wanted: dict[str, Any]) -> Any:
        frames.send(self._connection, frames.EVENTS_WANTED, orjson.dumps(wanted))
        message = frames.receive(self._connection)
        if message is None:
            raise SystemExit(0)
        return orjson.loads(message[1])


def _query(database: AxonDatabase, statements: Sequence[dict[str, Any]]) -> tuple[bytes, bool]:
    statement = statements[0]
    return orjson.dumps(database.run(statement["sql"], statement["params"]).view()), True


def _batch(database: AxonDatabase, statements: Sequence[dict[str, Any]]) -> tuple[bytes, bool]:
    """The results of a batch, and whether all went well. Where one failed nothing is kept, and each entry says so."""
    results: list[dict[str, Any]] = []
    for position, statement in enumerate(statements):
        try:
            results.append({"success": database.run(statement["sql"], statement["params"]).view()})
        except StatementFailed as failure:
            undone = f"Undone: statement {position} of the batch failed."
            left_out = f"Not run: statement {position} of the batch failed."
            before = [{"error": {"message": undone}}] * position
            after = [{"error": {"message": left_out}}] * (len(statements) - position - 1)
            return orjson.dumps({"results": [*before, {"error": {"message": str(failure)}}, *after]}), False
    return orjson.dumps({"results": results}), True
