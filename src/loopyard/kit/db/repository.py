"""Base of the repositories: each verb means one thing, whatever the table.

A repository is made for one transaction, by whoever needs it: `SecretRepository(session).get_by_id(secret_id)`. All SQL
of a resource stands in its repository; a subclass adds only the questions that its table alone is asked.

| verb | meaning |
|---|---|
| `get_…` | one row, or None; no lock |
| `get_one_…` | one row; `NotFound` if there is none |
| `…_for_update` | the row is kept from others' changes until the transaction ends, and is as they left it |
| `…_for_share` | the same, but others may keep it so, too |
| `list_…` | several rows; `list_page` one page of them, newest first |
| `ids_…`, `count_…`, `is_…`, `has_…` | ids, a number, a truth |
| `create`, `update`, `delete` | write a row, its changes or its end now: the database's objections are raised here |
"""

from collections.abc import Iterable
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import ColumnElement, ColumnExpressionArgument, Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped

from loopyard.kit.errors import NotFound
from loopyard.kit.lists.paging import Page, PageQuery, fetch_page


class HasId(Protocol):
    """A row that its id alone tells from all others."""

    id: Mapped[str]


class Owned(HasId, Protocol):
    """A row that belongs to an account."""

    account_id: Any
    """A column of text; where it may be null, the row is everyone's then."""


class Shared(Owned, Protocol):
    """A row that belongs to an account, and may be open to all."""

    is_public: Mapped[bool]


T = TypeVar("T")
R = TypeVar("R", bound=HasId)
RO = TypeVar("RO", bound=Owned)
RS = TypeVar("RS", bound=Shared)


class Repository:
    """Statements in one transaction, which whoever opened it commits."""

    __slots__ = ("_session",)

    def __init__(self, session: AsyncSession) -> None:
        self._session = session


class TableRepository(Repository, Generic[T]):
    """Rows of one table, whatever its key."""

    __slots__ = ()

    async def create(self, row: T) -> T:
        """Write a new row."""
        self._session.add(row)
        await self._session.flush()
        return row

    async def create_all(self, rows: Iterable[T]) -> None:
        """Write new rows."""
        self._session.add_all(rows)
        await self._session.flush()

    async def update(self, row: T) -> T:
        """Write what was changed in a row."""
        await self._session.flush()
        return row

    async def update_all(self) -> None:
        """Write what was changed in several rows."""
        await self._session.flush()

    async def delete(self, row: T) -> T:
        """Delete a row; the object stays as it was."""
        await self._session.delete(row)
        await self._session.flush()
        return row


class RowRepository(TableRepository[R]):
    """Rows of one table that their ids tell from each other."""

    __slots__ = ()

    model: type[R]
    kind: str
    """The resource's name in messages, such as `network policy`."""

    async def get_by_id(self, row_id: str) -> R | None:
        """The row of this id, whoever's it is."""
        return await self._session.get(self.model, row_id)

    async def get_by_id_for_update(self, row_id: str) -> R | None:
        """The row of this id, whoever's it is, kept from others' changes until the transaction ends."""
        return await self._session.get(self.model, row_id, with_for_update=True, populate_existing=True)

    def not_found(self, row_id: str, field: str = "id") -> NotFound:
        """The error that says so of an id. `field` is what the request calls it."""
        return NotFound(f"There is no {self.kind} {row_id}.", field=field)

    async def get_one_by_id_for_update(self, row_id: str) -> R:
        """The row of this id, whoever's it is, kept from others' changes until the transaction ends.

        Raises:
            NotFound: There is none.
        """
        return self._found(await self.get_by_id_for_update(row_id), row_id)

    def _found(self, row: R | None, row_id: str, field: str = "id") -> R:
        """The row that was looked for.

        Raises:
            NotFound: There is none.
        """
        if row is None:
            raise self.not_found(row_id, field)
        return row

    async def _page(self, query: PageQuery, *conditions: ColumnExpressionArgument[bool]) -> Page[R]:
        """A page of the rows that meet all conditions, newest first."""
        return await self._page_of(select(self.model), query, *conditions)

    async def _page_of(
        self, statement: Select[R], query: PageQuery, *conditions: ColumnExpressionArgument[bool]
    ) -> Page[R]:
        """A page of the rows that meet all conditions, newest first; the statement says how much of a row is loaded."""
        total = await self._count(*conditions) if query.include_total_count else None
        rows, more = await fetch_page(self._session, statement.where(*conditions), self.model.id, query)
        return Page(rows, more, total)

    async def _count(self, *conditions: ColumnExpressionArgument[bool]) -> int:
        """How many rows meet all conditions."""
        counting = select(func.count()).select_from(self.model).where(*conditions)
        return await self._session.scalar(counting) or 0

    async def _exists(self, *conditions: ColumnExpressionArgument[bool]) -> bool:
        """True if any row meets all conditions."""
        return await self._session.scalar(select(self.model.id).where(*conditions).limit(1)) is not None


class OwnedRepository(RowRepository[RO]):
    """Rows that belong to accounts."""

    __slots__ = ()

    def is_of(self, row: RO, account_id: str) -> bool:
        """True if the account may have the row."""
        return row.account_id == account_id

    async def get_owned(self, row_id: str, account_id: str) -> RO | None:
        """The account's row of this id."""
        row = await self.get_by_id(row_id)
        return row if row is not None and self.is_of(row, account_id) else None

    async def get_owned_for_update(self, row_id: str, account_id: str) -> RO | None:
        """The account's row of this id, kept from others' changes until the transaction ends."""
        row = await self.get_by_id_for_update(row_id)
        return row if row is not None and self.is_of(row, account_id) else None

    async def get_one_owned(self, row_id: str, account_id: str, field: str = "id") -> RO:
        """The account's row of this id. `field` is what the request calls the id.

        Raises:
            NotFound: It has none.
        """
        return self._found(await self.get_owned(row_id, account_id), row_id, field)

    async def get_one_owned_for_update(self, row_id: str, account_id: str, field: str = "id") -> RO:
        """The account's row of this id, kept from others' changes until the transaction ends. `field` is what the
        request calls the id.

        Raises:
            NotFound: It has none.
        """
        return self._found(await self.get_owned_for_update(row_id, account_id), row_id, field)


class SharedRepository(OwnedRepository[RS]):
    """Rows that belong to accounts, some of which all accounts may see."""

    __slots__ = ()

    def _visible(self, account_id: str) -> ColumnElement[bool]:
        """Condition: the account may see the row, which is its own or public."""
        return or_(self.model.account_id == account_id, self.model.is_public)

    async def get_visible(self, row_id: str, account_id: str) -> RS | None:
        """The row of this id, if the account may see it."""
        row = await self.get_by_id(row_id)
        return row if row is not None and (row.is_public or self.is_of(row, account_id)) else None

    async def get_one_visible(self, row_id: str, account_id: str, field: str = "id") -> RS:
        """The row of this id that the account may see. `field` is what the request calls the id.

        Raises:
            NotFound: There is none.
        """
        return self._found(await self.get_visible(row_id, account_id), row_id, field)
