"""Finds the account behind the `Authorization: Bearer` header."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from fastapi.security.utils import get_authorization_scheme_param

from loopyard.key import repository
from loopyard.key.bootstrap import digest
from loopyard.kit.db import Database
from loopyard.kit.errors import Unauthorized
from loopyard.kit.parts import parts_of


@dataclass(frozen=True, slots=True)
class Caller:
    """The one who makes a request."""

    account_id: str


class Authenticator:
    """Looks keys up, and remembers those that are right."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, Caller] = {}

    async def caller(self, key: str) -> Caller:
        """The caller whose key this is.

        Raises:
            Unauthorized: No such key.
        """
        hashed = digest(key)
        if (caller := self._known.get(hashed)) is not None:
            return caller
        async with self._database.read() as session:
            account_id = await repository.account_of_digest(session, hashed)
        if account_id is None:
            raise Unauthorized("This API key is not known here. The server keeps its key in the file 'api-key'.")
        return self._known.setdefault(hashed, Caller(account_id))


class _Bearer(SecurityBase):
    """A dependency that is the caller; in the OpenAPI document, the security scheme."""

    def __init__(self) -> None:
        self.model = HTTPBearer(description="The server's API key.")
        self.scheme_name = "bearerAuth"

    async def __call__(self, request: Request) -> Caller:
        scheme, key = get_authorization_scheme_param(request.headers.get("authorization"))
        if scheme.lower() != "bearer" or not key:
            raise Unauthorized("Send the API key as 'Authorization: Bearer <key>'.")
        return await parts_of(request.app).get(Authenticator).caller(key)


CallerDep = Annotated[Caller, Depends(_Bearer())]
