"""SQL for secrets."""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from loopyard.kit.paging import Page, PageQuery, fetch_page
from loopyard.secret.models import HeldToken, Secret

_KEYS_LOCK = 0x6C6F6F7073656372


async def hold_keys(session: AsyncSession) -> None:
    """Let no other transaction seal anything until this one ends. On SQLite there is only one that writes anyway."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text(f"SELECT pg_advisory_xact_lock({_KEYS_LOCK})"))


async def get(session: AsyncSession, account_id: str, secret_id: str) -> Secret | None:
    secret = await session.get(Secret, secret_id)
    return secret if secret is not None and secret.account_id == account_id else None


async def by_name(session: AsyncSession, account_id: str, name: str) -> Secret | None:
    return await session.scalar(select(Secret).where(Secret.account_id == account_id, Secret.name == name))


async def known_names(session: AsyncSession, account_id: str, names: Collection[str]) -> set[str]:
    """Names, of those given, that the account has a secret of."""
    statement = select(Secret.name).where(Secret.account_id == account_id, Secret.name.in_(names))
    return set((await session.scalars(statement)).all())


async def sealed_sizes(session: AsyncSession, account_id: str, names: Collection[str]) -> dict[str, int]:
    """Names, of those given, that the account has a secret of, each with the bytes of its sealed value."""
    columns = select(Secret.name, func.length(Secret.sealed))
    rows = await session.execute(columns.where(Secret.account_id == account_id, Secret.name.in_(names)))
    return {name: size for name, size in rows.all()}  # noqa: C416 - a row is no pair to the type checker


async def sealed(session: AsyncSession, account_id: str, names: Collection[str]) -> Sequence[Secret]:
    """The account's secrets of these names, with their sealed values."""
    statement = select(Secret).where(Secret.account_id == account_id, Secret.name.in_(names))
    return (await session.scalars(statement.options(undefer(Secret.sealed)))).all()


async def sealed_by_id(session: AsyncSession, account_id: str, secret_ids: Collection[str]) -> Sequence[Secret]:
    """The account's secrets of these ids, with their sealed values."""
    statement = select(Secret).where(Secret.account_id == account_id, Secret.id.in_(secret_ids))
    return (await session.scalars(statement.options(undefer(Secret.sealed)))).all()


async def page(session: AsyncSession, account_id: str, query: PageQuery) -> Page[Secret]:
    condition = Secret.account_id == account_id
    total = None
    if query.include_total_count:
        total = await session.scalar(select(func.count()).select_from(Secret).where(condition))
    rows, more = await fetch_page(session, select(Secret).where(condition), Secret.id, query)
    return Page(rows, more, total)


async def sealed_otherwise(session: AsyncSession, key_id: str, limit: int) -> Sequence[Secret]:
    """Secrets that are sealed with another key than this, kept from others' changes until the transaction ends."""
    statement = select(Secret).where(Secret.key_id != key_id).order_by(Secret.id).limit(limit)
    return (await session.scalars(statement.options(undefer(Secret.sealed)).with_for_update())).all()


async def key_ids(session: AsyncSession) -> set[str]:
    """The ids of all keys that something is sealed with."""
    named = select(Secret.key_id).union(select(HeldToken.key_id))
    return set((await session.scalars(named)).all())


async def tokens_otherwise(session: AsyncSession, key_id: str, limit: int) -> Sequence[HeldToken]:
    """Tokens that are sealed with another key than this, kept from others' changes until the transaction ends."""
    statement = select(HeldToken).where(HeldToken.key_id != key_id).limit(limit)
    return (await session.scalars(statement.with_for_update())).all()


async def tokens_of(session: AsyncSession, owner_id: str) -> Sequence[HeldToken]:
    return (await session.scalars(select(HeldToken).where(HeldToken.owner_id == owner_id))).all()


async def forget_tokens(session: AsyncSession, owner_id: str) -> None:
    """Erase the tokens that the owner needs no more."""
    await session.execute(delete(HeldToken).where(HeldToken.owner_id == owner_id))
