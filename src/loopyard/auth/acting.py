"""The caller that the server acts for, wherever in the code the question comes up: most deeply where a request names a
resource whose content would come along.

Outside of requests the server acts for itself, which may do everything; work that it does for a caller later on is done
within `acting_as`.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from loopyard.identity.scopes import Level, Resource, Scopes
from loopyard.kit.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Caller:
    """The one who makes a request. `scopes` None stands for every right."""

    account_id: str
    key_id: str | None = None
    scopes: Scopes | None = None
    expires_at_ms: int | None = None
    limits: Mapping[str, Any] | None = None
    """The account's own limits, as its row has them."""

    def may(self, resource: Resource, level: Level) -> bool:
        return self.scopes is None or self.scopes.level(resource) >= level


_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)


def acting() -> Caller | None:
    """The caller that the server acts for; None if it is the server itself."""
    return _caller.get()


def acting_key() -> str | None:
    """The id of the key that the server is called with; None if it acts for itself."""
    caller = _caller.get()
    return None if caller is None else caller.key_id


def act_for(caller: Caller) -> None:
    """Act for the caller until the request is over."""
    _caller.set(caller)


@contextmanager
def acting_as(caller: Caller | None) -> Generator[None]:
    """Act for a caller inside; for the server itself with None."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)


def require(resource: Resource, level: Level, what: str, *, field: str | None = None) -> None:
    """See that the caller has a right, besides those that the operation itself needs. `what` is what needs it, as in
    "a secret that a devbox gets".

    Raises:
        Forbidden: It has not.
    """
    caller = _caller.get()
    if caller is not None and not caller.may(resource, level):
        raise lacking(resource, level, what, field=field)


def lacking(resource: Resource, level: Level, what: str, *, field: str | None = None) -> Forbidden:
    """The refusal of a key that lacks a right."""
    return Forbidden(
        f"This API key is restricted and lacks {level.wire} on {resource.value}, which {what} needs. "
        "Use a key that has it, or have one made.",
        field=field,
    )
