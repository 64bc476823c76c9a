"""Decides about keys: who makes which, and who takes which back."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.auth.acting import Caller
from loopyard.auth.authenticator import Authenticator
from loopyard.identity.digest import digest
from loopyard.identity.models import ApiKey
from loopyard.identity.repository import ApiKeyRepository
from loopyard.identity.scopes import Scopes
from loopyard.key.repeats import RepeatedSecrets, random_secret
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import after_commit
from loopyard.kit.errors import BadRequest, Forbidden, NotFound, RequestKeyReused, WrongState
from loopyard.kit.idempotency import RequestIdentity, claim
from loopyard.kit.ids import new_id


@dataclass(frozen=True, slots=True)
class KeyWish:
    """A key that is asked for. `scopes` None is a standard key."""

    name: str | None
    expires_at_ms: int | None
    scopes: Scopes | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """The id of a key that is about to be made, and the random part of its secret."""

    id: str
    secret: str = field(repr=False)


class KeyService:
    """The keys that callers make."""

    def __init__(self, authenticator: Authenticator, secrets: RepeatedSecrets) -> None:
        self._authenticator = authenticator
        self._secrets = secrets

    async def create(
        self, session: AsyncSession, caller: Caller, wish: KeyWish, request: RequestIdentity | None
    ) -> tuple[ApiKey, str]:
        """A new key of the caller's account, and its secret, which is kept nowhere. A repeat of the request by the same
        caller is told the same.

        A restricted key makes keys with no more rights than its own, that end no later than it does.

        Raises:
            BadRequest: The time that it is to end at has passed.
            Forbidden: It would be wider than the caller's own.
            RequestKeyReused: Another request, or another caller, used the `x-request-id` before.
            WrongState: The key was made by this request, but this server can not tell its secret again.
        """
        key_id, scopes = new_id("key"), wish.scopes
        operation = "apikeys.create" if scopes is None else "restrictedkeys.create"
        owner = await claim(session, caller.account_id, operation, request, key_id)
        secret = self._secrets.secret(owner, request)
        if owner != key_id and request is not None:
            return await self._made_before(session, caller, owner, _whole(secret, scopes), request)
        expires_at_ms = self._end(caller, wish)
        new = NewKey(key_id, secret)
        return await make(session, caller.account_id, wish.name, expires_at_ms, scopes, made_by=caller.key_id, new=new)

    async def _made_before(
        self, session: AsyncSession, caller: Caller, key_id: str, secret: str, request: RequestIdentity
    ) -> tuple[ApiKey, str]:
        key = await ApiKeyRepository(session).get_owned(key_id, caller.account_id)
        if key is None or key.made_by != caller.key_id:
            raise RequestKeyReused(request.key)
        if key.digest != digest(secret):
            message = f"{key_id} was made by this request before, and its secret cannot be told again: the server's "
            raise WrongState(f"{message}data folder is another one. Delete that key, and make another.")
        return key, secret

    @staticmethod
    def _end(caller: Caller, wish: KeyWish) -> int | None:
        """When a key ends that the caller may make."""
        expires_at_ms, scopes = wish.expires_at_ms, wish.scopes
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
        return expires_at_ms

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
    new: NewKey | None = None,
) -> tuple[ApiKey, str]:
    """A new key of any account, and its secret.

    Raises:
        BadRequest: The time that it is to end at has passed.
    """
    now = now_ms()
    if expires_at_ms is not None and expires_at_ms <= now:
        raise BadRequest("expires_at_ms: this time has passed already.", field="expires_at_ms")
    new = new or NewKey(new_id("key"), random_secret())
    secret = _whole(new.secret, scopes)
    key = ApiKey(
        id=new.id,
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


def _whole(secret: str, scopes: Scopes | None) -> str:
    return f"{'ak' if scopes is None else 'rk'}_{secret}"


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
