"""Looks keys up, remembers those that are good, and forgets them as soon as they are not."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from loopyard.auth.acting import Caller
from loopyard.auth.live import LiveConnections
from loopyard.identity.digest import digest
from loopyard.identity.repository import ApiKeyRepository, StoredKey
from loopyard.identity.scopes import Scopes
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import Database
from loopyard.kit.errors import Forbidden, LoopyardError, Unauthorized


class AccountDisabled(Forbidden):
    code = "account_disabled"


class RefusedKey(Exception):
    """A key that is not good. `key_id` tells which it is; None if it is not known at all."""

    def __init__(self, error: LoopyardError, key_id: str | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.key_id = key_id


class Authenticator:
    """The keys that are in use, in memory. Those that are good are looked up once; what changes them, in this process
    or in another, is told to `forget` and `forget_accounts`."""

    def __init__(self, database: Database, live: LiveConnections, now: Callable[[], int] = now_ms) -> None:
        self._database = database
        self._live = live
        self._now = now
        self._by_digest: dict[str, Caller] = {}
        self._by_id: dict[str, Caller] = {}
        self._expiring: dict[str, int] = {}
        self._used: dict[str, int] = {}

    async def caller(self, key: str) -> Caller:
        """The caller whose key this is.

        Raises:
            RefusedKey: There is no such key, or it is not good any more.
        """
        hashed = digest(key)
        caller = self._by_digest.get(hashed)
        if caller is None or caller.key_id not in self._by_id:
            async with self._database.read() as session:
                found = await ApiKeyRepository(session).get_stored(digest=hashed)
            caller = self._by_digest[hashed] = self._admit(found)
        now = self._now()
        if caller.expires_at_ms is not None and caller.expires_at_ms <= now:
            raise RefusedKey(_expired(caller.expires_at_ms), caller.key_id)
        self._used[caller.key_id or ""] = now
        return caller

    async def of_id(self, key_id: str) -> Caller:
        """The caller whose key has this id, as long as the key is good.

        Raises:
            RefusedKey: It is not.
        """
        caller = self._by_id.get(key_id)
        if caller is None:
            async with self._database.read() as session:
                found = await ApiKeyRepository(session).get_stored(key_id=key_id)
            caller = self._admit(found)
        if caller.expires_at_ms is not None and caller.expires_at_ms <= self._now():
            raise RefusedKey(_expired(caller.expires_at_ms), key_id)
        return caller

    async def is_good(self, key_id: str | None) -> bool:
        """True if a key may still be used. Things made without a key, by the operator or before keys were recorded,
        depend on none."""
        if key_id is None:
            return True
        try:
            await self.of_id(key_id)
        except RefusedKey:
            return False
        return True

    def _admit(self, found: StoredKey | None) -> Caller:
        if found is None:
            message = "This API key is not known here. The server keeps its own in the file 'api-key'."
            raise RefusedKey(Unauthorized(message))
        if found.revoked_at_ms is not None:
            raise RefusedKey(Unauthorized("This API key was revoked; use another."), found.id)
        if found.expires_at_ms is not None and found.expires_at_ms <= self._now():
            raise RefusedKey(_expired(found.expires_at_ms), found.id)
        if found.account_disabled:
            error = AccountDisabled("The account of this API key is disabled; ask the operator of this server.")
            raise RefusedKey(error, found.id)
        scopes = None if found.scopes is None else Scopes.load(found.scopes)
        caller = Caller(found.account_id, found.id, scopes, found.expires_at_ms, found.limits)
        self._by_id[found.id] = caller
        if found.expires_at_ms is not None:
            self._expiring[found.id] = found.expires_at_ms
        return caller

    def forget(self, key_ids: Iterable[str]) -> None:
        """These keys are not good any more: nothing is begun with them, and what is under way ends."""
        for key_id in key_ids:
            self._by_id.pop(key_id, None)
            self._expiring.pop(key_id, None)
            self._live.end(key_id)
        self._by_digest = {hashed: one for hashed, one in self._by_digest.items() if one.key_id in self._by_id}

    def forget_accounts(self, account_ids: Iterable[str]) -> list[str]:
        """Something about these accounts changed: their keys are looked up anew. Returns the keys that were known."""
        wanted = set(account_ids)
        known = [key_id for key_id, one in self._by_id.items() if one.account_id in wanted]
        for key_id in known:
            del self._by_id[key_id]
            self._expiring.pop(key_id, None)
        self._by_digest = {hashed: one for hashed, one in self._by_digest.items() if one.key_id in self._by_id}
        return known

    def expired(self) -> list[str]:
        """The keys in use whose time is over."""
        now = self._now()
        return [key_id for key_id, at in self._expiring.items() if at <= now]

    def held_unknown(self) -> set[str]:
        """The keys that something is open with, and that are not known to be good: what was being opened while its key
        ended."""
        return self._live.keys() - self._by_id.keys()

    def take_uses(self) -> dict[str, int]:
        """When which keys were used since this was last asked, in milliseconds."""
        used, self._used = self._used, {}
        return used


def _expired(at_ms: int) -> Unauthorized:
    at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
    return Unauthorized(f"This API key expired at {at}; use another.")
