"""Finds the caller behind the `Authorization: Bearer` header, and sees that its key may do what it asks for: the one
place where that is decided for operations."""

from typing import Annotated, Any, cast

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from fastapi.security.utils import get_authorization_scheme_param

from loopyard.auth.acting import Caller, act_for, lacking
from loopyard.auth.authenticator import Authenticator, RefusedKey
from loopyard.auth.operations import OPERATIONS, entry
from loopyard.connections.limits import let_in
from loopyard.kit.errors import Forbidden, Unauthorized
from loopyard.kit.http.in_flight import mark
from loopyard.kit.http.parts import parts_of

CALLER = "loopyard.caller"
"""In the scope of a request: its `Caller`, once that is known."""

KEY = "loopyard.key"
"""In the scope of a request: the id of a key that was refused."""

OPERATION = "loopyard.operation"
"""In the scope of a request that carries out an operation by another route: the operation's entry; None for none."""

MADE = "loopyard.made"
"""In the scope of a request that is not answered in JSON: the id of what it made."""

_entries: dict[tuple[str, str], str] = {}


class _Bearer(SecurityBase):
    """A dependency that is the caller; in the OpenAPI document, the security scheme."""

    def __init__(self) -> None:
        self.model = HTTPBearer(description="The server's API key, or one that was made with it.")
        self.scheme_name = "bearerAuth"

    async def __call__(self, request: Request) -> Caller:
        scheme, key = get_authorization_scheme_param(request.headers.get("authorization"))
        if scheme.lower() != "bearer" or not key:
            raise Unauthorized("Send the API key as 'Authorization: Bearer <key>'.")
        try:
            caller = await parts_of(request.app).get(Authenticator).caller(key)
        except RefusedKey as refusal:
            request.scope[KEY] = refusal.key_id
            raise refusal.error from None
        request.scope[CALLER] = caller
        let_in(request.scope)
        if caller.scopes is not None:
            _check(request, caller)
        if caller.key_id is not None:
            mark(caller.key_id)
        act_for(caller)
        return caller


CallerDep = Annotated[Caller, Depends(_Bearer())]


def entry_of(scope: Any) -> str | None:
    """The entry in the table of operations that a request's route has; None where it has no route."""
    if OPERATION in scope:
        return cast("str | None", scope[OPERATION])
    route = scope.get("route")
    path = cast("str | None", getattr(route, "path_format", None))
    if path is None:
        return None
    key = (str(scope["method"]), path)
    name = _entries.get(key)
    return _entries.setdefault(key, entry(*key)) if name is None else name


def _check(request: Request, caller: Caller) -> None:
    """Raises Forbidden if the caller's scopes lack what the operation needs."""
    needs = OPERATIONS.get(entry_of(request.scope) or "")
    if needs is None or caller.scopes is None:
        raise Forbidden("This API key is restricted, and no restricted key may do this.")
    if (missing := caller.scopes.missing(needs)) is not None:
        raise lacking(*missing, "this operation")
