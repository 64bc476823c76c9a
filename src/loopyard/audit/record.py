"""Entries of the audit log: one line each."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from loopyard.kit.clock import now_ms

_MOST_CHARACTERS = 512


def time_text(at_ms: int) -> str:
    """A time as the log has it: ISO 8601 in UTC, with milliseconds, so that the order of texts is that of times."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


@dataclass(frozen=True, slots=True)
class Record:
    """An entry: an operation that somebody called. Holds no secret: neither bodies nor queries."""

    operation: str
    """The method and the route, such as `POST /v1/devboxes/{}/shutdown`; or words, for what is no request."""
    at_ms: int
    source: str
    """An address, or `command line` with the user's number."""
    account: str | None = None
    key: str | None = None
    """The API key's id."""
    path: str | None = None
    """The path as it was asked for, with the ids in it."""
    made: str | None = None
    """The id of what was made."""
    status: int | None = None
    """The answer's HTTP status; None where there is none, or none was given any more."""
    error: str | None = None
    """Why it failed, for what is no request."""

    @property
    def outcome(self) -> str:
        """`done`, `refused` (for lack of a right), or `failed`."""
        if self.error is not None:
            return "failed"
        if self.status is None or self.status < 400:
            return "done"
        return "refused" if self.status in (401, 403) else "failed"

    def line(self) -> bytes:
        """The record as JSON with a line's end. Fields that say nothing are left out."""
        given: dict[str, Any] = {
            "time": time_text(self.at_ms),
            "account": self.account,
            "key": self.key,
            "operation": self.operation,
            "path": None if self.path is None else _clean(self.path[:_MOST_CHARACTERS]),
            "made": self.made,
            "source": self.source,
            "status": self.status,
            "outcome": self.outcome,
            "error": self.error,
        }
        return orjson.dumps({name: value for name, value in given.items() if value is not None}) + b"\n"


def _clean(text: str) -> str:
    """The text without what JSON cannot hold: halves of characters."""
    return text.encode(errors="replace").decode()


def of_command_line(operation: str, user: int, *, account: str | None = None, made: str | None = None) -> Record:
    """An entry: a command of the operator on the server's machine. `user` is the number of the user there."""
    return Record(operation, now_ms(), f"command line, user {user}", account=account, made=made)
