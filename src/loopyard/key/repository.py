"""SQL for accounts' keys."""

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.account.models import Account
from loopyard.key.models import ApiKey


async def account_of_digest(session: AsyncSession, digest: str) -> str | None:
    """The id of the account whose key has this SHA-256."""
    return await session.scalar(select(ApiKey.account_id).where(ApiKey.digest == digest))


async def first_account(session: AsyncSession) -> Account | None:
    return await session.scalar(select(Account).order_by(Account.id).limit(1))


async def keys_of_account(session: AsyncSession, account_id: str) -> set[str]:
    """The digests of the account's keys."""
    return set((await session.scalars(select(ApiKey.digest).where(ApiKey.account_id == account_id))).all())


async def delete_keys(session: AsyncSession, account_id: str) -> None:
    await session.execute(delete(ApiKey).where(ApiKey.account_id == account_id))
