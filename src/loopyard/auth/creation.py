"""Idempotent creates: a repeat of a request finds what the first one made."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.auth.acting import Caller
from loopyard.auth.caller import CallerDep
from loopyard.kit.idempotency import RequestIdentity, RequestKey, claim
from loopyard.kit.ids import new_id


@dataclass(frozen=True, slots=True)
class Claimed:
    """Id of the resource that a request creates; of a repeat, that of the resource which the first request made."""

    id: str
    is_repeat: bool


@dataclass(frozen=True, slots=True)
class Creation:
    """Creation of a resource by a request that may be a repeat."""

    account_id: str
    operation: str
    prefix: str
    request: RequestIdentity | None

    async def claim(self, session: AsyncSession) -> Claimed:
        """Claim the request's key, in the transaction that makes the resource.

        Raises:
            RequestKeyReused: The first request with the key was another one.
        """
        made = new_id(self.prefix)
        owner = await claim(session, self.account_id, self.operation, self.request, made)
        return Claimed(owner, owner != made)


def creation_of(operation: str, prefix: str) -> Callable[[Caller, RequestIdentity | None], Awaitable[Creation]]:
    """Give the dependency of endpoints that create a resource whose ids have this prefix. Others call it with a caller
    and the identity of the request, or None.

    `operation` stands beside the request's key in the store: requests of two operations are no repeats of each other.
    """

    async def of_request(caller: CallerDep, request_key: RequestKey) -> Creation:
        return Creation(caller.account_id, operation, prefix, request_key)

    return of_request
