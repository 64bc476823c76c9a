"""SQL for accounts."""

from collections.abc import Sequence

from sqlalchemy import select

from loopyard.identity.models import Account
from loopyard.kit.db.repository import RowRepository
from loopyard.kit.errors import NotFound


class AccountRepository(RowRepository[Account]):
    model = Account
    kind = "account"

    async def get_one_or_first(self, account_id: str | None) -> Account:
        """The account of this id; the first one for None.

        Raises:
            NotFound: There is none.
        """
        statement = select(Account).order_by(Account.id).limit(1)
        if account_id is not None:
            statement = statement.where(Account.id == account_id)
        account = await self._session.scalar(statement)
        if account is None:
            raise NotFound(
                "There is no account yet; start the server once."
                if account_id is None
                else f"There is no account {account_id}."
            )
        return account

    async def has_limits(self, account_id: str) -> bool:
        """True if the account has limits of its own."""
        return bool(await self._session.scalar(select(Account.limits).where(Account.id == account_id)))

    async def list_all(self) -> Sequence[Account]:
        """All of them, oldest first."""
        return (await self._session.scalars(select(Account).order_by(Account.id))).all()
