"""SQL for accounts' keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, bindparam, literal, select, update

from loopyard.identity.models import Account, ApiKey
from loopyard.kit.db.repository import OwnedRepository
from loopyard.kit.lists.paging import Page, PageQuery


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as it is looked up, with what its account says."""

    id: str
    account_id: str
    scopes: Mapping[str, str] | None
    expires_at_ms: int | None
    revoked_at_ms: int | None
    account_disabled: bool
    limits: Mapping[str, Any] | None


_COLUMNS = (
    ApiKey.id,
    ApiKey.account_id,
    ApiKey.scopes,
    ApiKey.expires_at_ms,
    ApiKey.revoked_at_ms,
    Account.disabled_at_ms.is_not(None),
    Account.limits,
)


_since = bindparam("since", type_=BigInteger)
_CHANGED = (
    select(literal("key"), ApiKey.id, ApiKey.revoked_at_ms)
    .where(ApiKey.revoked_at_ms >= _since)
    .union_all(select(literal("account"), Account.id, Account.changed_at_ms).where(Account.changed_at_ms >= _since))
)


class ApiKeyRepository(OwnedRepository[ApiKey]):
    model = ApiKey
    kind = "API key"

    async def get_stored(self, *, digest: str | None = None, key_id: str | None = None) -> StoredKey | None:
        """The key with this SHA-256, or of this id, revoked and expired ones too."""
        condition = ApiKey.digest == digest if key_id is None else ApiKey.id == key_id
        statement = select(*_COLUMNS).join(Account, Account.id == ApiKey.account_id).where(condition)
        row = (await self._session.execute(statement)).first()
        return None if row is None else StoredKey(*row)

    async def get_valid_for_update(self, key_id: str, account_id: str | None = None) -> ApiKey | None:
        """A key that is not revoked, kept from others' changes; of any account if `account_id` is None."""
        key = await self.get_by_id_for_update(key_id)
        if key is None or key.revoked_at_ms is not None:
            return None
        return key if account_id in (None, key.account_id) else None

    async def get_by_digest(self, digest: str) -> ApiKey | None:
        return await self._session.scalar(select(ApiKey).where(ApiKey.digest == digest))

    async def get_first_account(self) -> Account | None:
        return await self._session.scalar(select(Account).order_by(Account.id).limit(1))

    async def create_account(self, account: Account) -> Account:
        """Write the first account, which the first key is of."""
        self._session.add(account)
        await self._session.flush()
        return account

    async def list_of_server(self) -> Sequence[ApiKey]:
        """The server's own keys that are not revoked: one, or none before the first start."""
        statement = select(ApiKey).where(ApiKey.of_server, ApiKey.revoked_at_ms.is_(None))
        return (await self._session.scalars(statement)).all()

    async def list_page(self, account_id: str | None, query: PageQuery) -> Page[ApiKey]:
        """The keys of an account that are not revoked, newest first; of all accounts if it is None."""
        conditions: list[ColumnElement[bool]] = [ApiKey.revoked_at_ms.is_(None)]
        if account_id is not None:
            conditions.append(ApiKey.account_id == account_id)
        return await self._page(query, *conditions)

    async def list_named(self, account_id: str, name: str) -> Sequence[ApiKey]:
        """The account's keys of this name that are neither revoked nor the server's own."""
        conditions = (ApiKey.account_id == account_id, ApiKey.name == name, ApiKey.revoked_at_ms.is_(None))
        return (await self._session.scalars(select(ApiKey).where(*conditions, ~ApiKey.of_server))).all()

    async def list_made_by(self, key_ids: Sequence[str]) -> Sequence[ApiKey]:
        """The keys that were made with one of these, and are not revoked."""
        statement = select(ApiKey).where(ApiKey.made_by.in_(key_ids), ApiKey.revoked_at_ms.is_(None))
        return (await self._session.scalars(statement.order_by(ApiKey.id))).all()

    async def note_uses(self, uses: Mapping[str, int]) -> None:
        """Write down when keys were last used, ids to milliseconds."""
        statement = update(ApiKey).where(ApiKey.id == bindparam("key")).values(last_used_ms=bindparam("at"))
        connection = await self._session.connection()
        await connection.execute(statement, [{"key": key_id, "at": at} for key_id, at in uses.items()])

    async def changed_since(self, since_ms: int) -> tuple[set[str], dict[str, int | None]]:
        """The keys that were revoked at or after a time, and the accounts that were changed, with when that was."""
        rows = (await self._session.execute(_CHANGED, {"since": since_ms})).all()
        return {row[1] for row in rows if row[0] == "key"}, {row[1]: row[2] for row in rows if row[0] == "account"}
