"""Whom the server acts for when it does later what a caller asked for."""

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.auth.acting import Caller
from loopyard.auth.authenticator import AccountDisabled
from loopyard.identity.repository import ApiKeyRepository
from loopyard.identity.scopes import Scopes


async def caller_of(session: AsyncSession, key_id: str | None) -> Caller | None:
    """The caller that a key stands for, with the rights that it has or had: what was begun with a key that was revoked
    since goes on with them. None for None, or a key that is not written down: the server itself.

    Raises:
        AccountDisabled: The operator has disabled the account meanwhile.
    """
    found = None if key_id is None else await ApiKeyRepository(session).get_stored(key_id=key_id)
    if found is None:
        return None
    if found.account_disabled:
        raise AccountDisabled("The account is disabled.")
    scopes = None if found.scopes is None else Scopes.load(found.scopes)
    return Caller(found.account_id, found.id, scopes, found.expires_at_ms, found.limits)
