"""Decides about keys: who makes which, and who takes which back."""

import secrets
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.auth.acting import Caller
from loopyard.auth.authenticator import Authenticator
from loopyard.identity.digest import digest
from loopyard.identity.models import ApiKey
from loopyard.identity.repository import ApiKeyRepository
from loopyard.identity.scopes import Scopes
from loopyard.kit.clock import now_ms
from loopyard.kit.db import after_commit
from loopyard.kit.errors import BadRequest, Forbidden, NotFound, WrongState
from loopyard.kit.ids import new_id

_SECRET_BYTES = 32


class KeyService:
    """The keys that callers make."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def create(
        self, session: AsyncSession, caller: Caller, name: str | None, expires_at_ms: int | None, scopes: Scopes | None
    ) -> tuple[ApiKey, str]:
        """A new key of the caller's account, and its secret, which is kept nowhere. `scopes` None makes a standard key.

        A restricted key makes keys with no more rights than its own, that end no later than it does.

        Raises:
            BadRequest: The time that it is to end at has passed.
            Forbidden: It would be wider than the caller's own.
        """
        if caller.scopes is not None:
            if scopes is None:
                raise Forbidden("A restricted key makes restricted keys only: POST /v1/restricted_keys.")
            if not caller.scopes.cover(scopes):
                message = "scopes: a restricted key gives no right that it lacks itself."
                raise Forbidden(message, field="scopes")
        own_end = caller.expires_at_ms
        if caller.scopes is not None and own_end is not None:
            if expires_at_ms is not None and expires_at_ms > own_end:
                message = f"expires_at_ms: the key that asks for it ends at {own_end} itself."
                raise Forbidden(message, field="expires_at_ms")
            expires_at_ms = own_end if expires_at_ms is None else expires_at_ms
        return await make(session, caller.account_id, name, expires_at_ms, scopes, made_by=caller.key_id)

    async def revoke(self, session: AsyncSession, caller: Caller, key_id: str) -> Sequence[str]:
        """Take a key back, and if it is restricted those that were made with it: nothing is begun with them from the
        commit on, and what is open with them ends. Returns their ids.

        Raises:
            NotFound: The account has no such key.
            Forbidden: It has rights that the caller's own lacks.
            WrongState: It is the server's own.
        """
        key = await ApiKeyRepository(session).get_valid_for_update(key_id, caller.account_id)
        if key is None:
            raise NotFound(f"There is no API key {key_id}.", field="id")
        if caller.scopes is not None and (key.scopes is None or not caller.scopes.cover(Scopes.load(key.scopes))):
            raise Forbidden("A restricted key takes back no key that has a right which it lacks itself.", field="id")
        revoked = await take_back(session, key)
        after_commit(session, lambda: self._authenticator.forget(revoked))
        return revoked

    async def lend(
        self,
        session: AsyncSession,
        account_id: str,
        name: str,
        expires_at_ms: int,
        scopes: Scopes | None,
        made_by: str | None,
    ) -> str:
        """The secret of a new key for a process of the server's own that works for an account."""
        return (await make(session, account_id, name, expires_at_ms, scopes, made_by=made_by))[1]

    async def drop(self, session: AsyncSession, account_id: str, name: str) -> None:
        """Take back the keys that were lent under this name."""
        revoked: list[str] = []
        for key in await ApiKeyRepository(session).list_named(account_id, name):
            revoked += await take_back(session, key)
        after_commit(session, lambda: self._authenticator.forget(revoked))


async def make(
    session: AsyncSession,
    account_id: str,
    name: str | None,
    expires_at_ms: int | None,
    scopes: Scopes | None,
    *,
    made_by: str | None = None,
) -> tuple[ApiKey, str]:
    """A new key of any account, and its secret.

    Raises:
        BadRequest: The time that it is to end at has passed.
    """
    now = now_ms()
    if expires_at_ms is not None and expires_at_ms <= now:
        raise BadRequest("expires_at_ms: this time has passed already.", field="expires_at_ms")
    secret = f"{'ak' if scopes is None else 'rk'}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    key = ApiKey(
        id=new_id("key"),
        account_id=account_id,
        digest=digest(secret),
        name=name,
        scopes=None if scopes is None else scopes.dump(),
        of_server=False,
        made_by=made_by,
        create_time_ms=now,
        expires_at_ms=expires_at_ms,
    )
    return await ApiKeyRepository(session).create(key), secret


async def take_back(session: AsyncSession, key: ApiKey) -> list[str]:
    """Mark a key as revoked, and if it is restricted those made with it. Returns their ids.

    Raises:
        WrongState: It is the server's own.
    """
    if key.of_server:
        message = f"{key.id} is the server's own key: set another by LOOPYARD_API_KEY, or by the file 'api-key', and "
        raise WrongState(f"{message}restart the server.")
    keys = ApiKeyRepository(session)
    now, revoked, generation = now_ms(), [key.id], [key]
    key.revoked_at_ms = now
    while parents := [one.id for one in generation if one.scopes is not None]:
        generation = await keys.list_made_by(parents)
        for child in generation:
            child.revoked_at_ms = now
        revoked += [child.id for child in generation]
        await keys.update_all()
    await keys.update_all()
    return revoked
