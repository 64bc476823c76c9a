"""The limits of accounts: what all devboxes, builds, jobs and objects of one may take together."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.account.config import Limits
from loopyard.account.repository import AccountRepository
from loopyard.auth.acting import acting
from loopyard.kit.errors import BadRequest, LoopyardError

RETRY_SECONDS = 5
"""When to ask again for what others give back by and by: the official clients do so by themselves, five times."""


class LimitReached(LoopyardError):
    """An account has as much as it may have. `retry` says whether that changes by itself."""

    status = 429
    code = "limit_reached"

    def __init__(self, message: str, *, retry: bool) -> None:
        super().__init__(message)
        self.retryable = None if retry else False
        self.retry_after_seconds = RETRY_SECONDS if retry else None


class AccountLimits:
    """Knows which limits an account has: its own, else the server's `defaults`."""

    def __init__(self, defaults: Limits) -> None:
        self._defaults = defaults.model_dump(exclude_none=True)

    async def hold(self, session: AsyncSession, account_id: str) -> Limits | None:
        """The limits of an account, of which nothing else is counted until the transaction ends; None if it has none.
        That costs nothing where the caller's account is the one."""
        if not await self._any(session, account_id):
            return None
        account = await AccountRepository(session).get_by_id_for_update(account_id)
        own = None if account is None else account.limits
        return merged(self._defaults, own)

    async def _any(self, session: AsyncSession, account_id: str) -> bool:
        if self._defaults:
            return True
        caller = acting()
        if caller is not None and caller.account_id == account_id:
            return bool(caller.limits)
        return await AccountRepository(session).has_limits(account_id)


def merged(defaults: dict[str, Any], own: dict[str, Any] | None) -> Limits:
    """An account's own limits in place of the server's; one of its own that is null lifts the server's."""
    known = {name: value for name, value in {**defaults, **(own or {})}.items() if name in Limits.model_fields}
    return Limits(**known)


def check(
    name: str,
    limit: float | None,
    has: float,
    wants: float,
    *,
    account_id: str,
    advice: str,
    retry: bool = True,
    field: str | None = None,
) -> None:
    """See that an account which has so much may have so much more. `field` is what the request calls what it wants.

    Raises:
        BadRequest: What is wanted is more than the limit by itself.
        LimitReached: It is too much together with what there is; the message says which limit, and who may raise it.
    """
    if limit is None or has + wants <= limit:
        return
    raised = f"The operator of this server can raise it: loopyard account limit {account_id} --{_option(name)} N"
    if wants > limit and field is not None:
        message = f"{field}: it wants {wants:g} of {name}, of which this account may have {limit:g} at all. {raised}."
        raise BadRequest(message, field=field)
    raise LimitReached(
        f"{name}: this account may have {limit:g}, and has {has:g} already. {advice} {raised}.", retry=retry
    )


def _option(name: str) -> str:
    return name.replace("_", "-")
