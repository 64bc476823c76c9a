"""SQL for accounts' keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, bindparam, func, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.identity.models import Account, ApiKey
from loopyard.kit.paging import Page, PageQuery, fetch_page


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


async def find(session: AsyncSession, *, digest: str | None = None, key_id: str | None = None) -> StoredKey | None:
    """The key with this SHA-256, or of this id, revoked and expired ones too."""
    condition = ApiKey.digest == digest if key_id is None else ApiKey.id == key_id
    statement = select(*_COLUMNS).join(Account, Account.id == ApiKey.account_id).where(condition)
    row = (await session.execute(statement)).first()
    return None if row is None else StoredKey(*row)


async def get_for_update(session: AsyncSession, key_id: str, account_id: str | None = None) -> ApiKey | None:
    """A key that is not revoked, kept from others' changes; of any account if `account_id` is None."""
    key = await session.get(ApiKey, key_id, with_for_update=True, populate_existing=True)
    if key is None or key.revoked_at_ms is not None:
        return None
    return key if account_id in (None, key.account_id) else None


async def by_digest(session: AsyncSession, digest: str) -> ApiKey | None:
    return await session.scalar(select(ApiKey).where(ApiKey.digest == digest))


async def first_account(session: AsyncSession) -> Account | None:
    return await session.scalar(select(Account).order_by(Account.id).limit(1))


async def of_server(session: AsyncSession) -> Sequence[ApiKey]:
    """The server's own keys that are not revoked: one, or none before the first start."""
    return (await session.scalars(select(ApiKey).where(ApiKey.of_server, ApiKey.revoked_at_ms.is_(None)))).all()


async def page(session: AsyncSession, account_id: str | None, query: PageQuery) -> Page[ApiKey]:
    """The keys of an account that are not revoked, newest first; of all accounts if it is None."""
    conditions: list[ColumnElement[bool]] = [ApiKey.revoked_at_ms.is_(None)]
    if account_id is not None:
        conditions.append(ApiKey.account_id == account_id)
    total = None
    if query.include_total_count:
        total = await session.scalar(select(func.count()).select_from(ApiKey).where(*conditions))
    rows, more = await fetch_page(session, select(ApiKey).where(*conditions), ApiKey.id, query)
    return Page(rows, more, total)


async def named(session: AsyncSession, account_id: str, name: str) -> Sequence[ApiKey]:
    """The account's keys of this name that are neither revoked nor the server's own."""
    conditions = (ApiKey.account_id == account_id, ApiKey.name == name, ApiKey.revoked_at_ms.is_(None))
    return (await session.scalars(select(ApiKey).where(*conditions, ~ApiKey.of_server))).all()


async def made_by(session: AsyncSession, key_ids: Sequence[str]) -> Sequence[ApiKey]:
    """The keys that were made with one of these, and are not revoked."""
    statement = select(ApiKey).where(ApiKey.made_by.in_(key_ids), ApiKey.revoked_at_ms.is_(None))
    return (await session.scalars(statement.order_by(ApiKey.id))).all()


async def note_uses(session: AsyncSession, uses: Mapping[str, int]) -> None:
    """Write down when keys were last used, ids to milliseconds."""
    statement = update(ApiKey).where(ApiKey.id == bindparam("key")).values(last_used_ms=bindparam("at"))
    connection = await session.connection()
    await connection.execute(statement, [{"key": key_id, "at": at} for key_id, at in uses.items()])


_since = bindparam("since", type_=BigInteger)
_CHANGED = (
    select(literal("key"), ApiKey.id, ApiKey.revoked_at_ms)
    .where(ApiKey.revoked_at_ms >= _since)
    .union_all(select(literal("account"), Account.id, Account.changed_at_ms).where(Account.changed_at_ms >= _since))
)


async def changed(session: AsyncSession, since_ms: int) -> tuple[set[str], dict[str, int | None]]:
    """The keys that were revoked at or after a time, and the accounts that were changed, with when that was."""
    rows = (await session.execute(_CHANGED, {"since": since_ms})).all()
    return {row[1] for row in rows if row[0] == "key"}, {row[1]: row[2] for row in rows if row[0] == "account"}
