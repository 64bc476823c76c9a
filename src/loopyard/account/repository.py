"""SQL for accounts."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.identity.models import Account
from loopyard.kit.errors import NotFound


async def lock(session: AsyncSession, account_id: str) -> Account | None:
    """An account, kept from others' changes until the transaction ends."""
    return await session.get(Account, account_id, with_for_update=True, populate_existing=True)


async def named_or_first(session: AsyncSession, account_id: str | None) -> Account:
    """The account of this id; the first one for None.

    Raises:
        NotFound: There is none.
    """
    statement = select(Account).order_by(Account.id).limit(1)
    if account_id is not None:
        statement = statement.where(Account.id == account_id)
    account = await session.scalar(statement)
    if account is None:
        raise NotFound(
            "There is no account yet; start the server once."
            if account_id is None
            else f"There is no account {account_id}."
        )
    return account


async def all_accounts(session: AsyncSession) -> Sequence[Account]:
    """All of them, oldest first."""
    return (await session.scalars(select(Account).order_by(Account.id))).all()
