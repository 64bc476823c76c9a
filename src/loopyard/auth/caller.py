"""Finds the account behind the `Authorization: Bearer` header."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from loopyard.key import repository
from loopyard.key.bootstrap import digest
from loopyard.kit.db import Database
from loopyard.kit.errors import Unauthorized
from loopyard.kit.parts import part


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


_bearer = HTTPBearer(auto_error=False, scheme_name="bearerAuth", description="The server's API key.")


async def _caller(
    authenticator: Annotated[Authenticator, Depends(part(Authenticator))],
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    if credentials is None:
        raise Unauthorized("Send the API key as 'Authorization: Bearer <key>'.")
    return await authenticator.caller(credentials.credentials)


CallerDep = Annotated[Caller, Depends(_caller)]
