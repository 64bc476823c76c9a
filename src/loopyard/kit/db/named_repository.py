"""Base of the repositories of resources whose names are unique in an account."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped

from loopyard.kit.db.repository import Owned, OwnedRepository
from loopyard.kit.errors import BadRequest
from loopyard.kit.lists import names
from loopyard.kit.lists.paging import Page, PageQuery


class Named(Owned, Protocol):
    """A row with a name, and what it is found by."""

    name: Mapped[str]
    name_digest: Mapped[str]
    name_folded: Mapped[str]


N = TypeVar("N", bound=Named)


@dataclass(frozen=True, slots=True)
class NameFilters:
    """Filters of a list: an id, a part of a name, the start of an id or a part of a name."""

    id: str | None = None
    name: str | None = None
    search: str | None = None


class NamedRepository(OwnedRepository[N]):
    """Rows of accounts, each of which has a name once."""

    article = "a"
    """Of `kind`."""

    def _visible(self, account_id: str) -> ColumnElement[bool]:
        """Condition: the account may see the row."""
        return self._of(account_id)

    def _matches_name(self, text: str) -> ColumnElement[bool]:
        """Condition: the name is such as the filter `name` asks for."""
        return names.holds(self.model.name_folded, text)

    async def list_page(self, account_id: str, filters: NameFilters, query: PageQuery) -> Page[N]:
        """A page of what the account may see, newest first."""
        conditions = [self._visible(account_id)]
        if filters.id is not None:
            conditions.append(self.model.id == filters.id)
        if filters.name:
            conditions.append(self._matches_name(filters.name))
        if filters.search:
            conditions.append(names.matches(self.model.id, self.model.name_folded, filters.search))
        return await self._page(query, *conditions)

    async def id_of_name(self, account_id: str, name: str) -> str | None:
        """The id of the row of this name that the account may see."""
        statement = select(self.model.id).where(self._visible(account_id), self.model.name_digest == names.digest(name))
        return await self._session.scalar(statement)

    async def get_one_named_for_update(self, id_or_name: str, account_id: str, field: str) -> N:
        """The row of this id or name that the account may see, kept from others' changes until the transaction ends.
        `field` is what the request calls it.

        Raises:
            NotFound: There is none.
        """
        row = await self.get_owned_for_update(id_or_name, account_id)
        if row is None and (row_id := await self.id_of_name(account_id, id_or_name)) is not None:
            row = await self.get_owned_for_update(row_id, account_id)
        return self._found(row, id_or_name, field)

    async def rename(self, row: N, account_id: str, name: str) -> None:
        """Give a row a name that no other of the account has. `create` or `update` writes it.

        Raises:
            BadRequest: Another has it.
        """
        if await self._is_taken(account_id, name):
            raise self._taken(name)
        set_name(row, name)

    async def create(self, row: N) -> N:
        """Write a new row.

        Raises:
            BadRequest: Its name was taken at this moment.
        """
        with self._name_may_be_taken(row):
            return await super().create(row)

    async def update(self, row: N) -> N:
        """Write what was changed in a row.

        Raises:
            BadRequest: Its name was taken at this moment.
        """
        with self._name_may_be_taken(row):
            return await super().update(row)

    @contextmanager
    def _name_may_be_taken(self, row: N) -> Generator[None]:
        name = row.name
        try:
            yield
        except IntegrityError:
            raise self._taken(name) from None

    async def _is_taken(self, account_id: str, name: str) -> bool:
        taken = self._of(account_id), self.model.name_digest == names.digest(name)
        return await self._session.scalar(select(self.model.id).where(*taken)) is not None

    def _of(self, account_id: str) -> ColumnElement[bool]:
        return self.model.account_id == account_id

    def _taken(self, name: str) -> BadRequest:
        return BadRequest(f"name: there is {self.article} {self.kind} named {name!r} already.", field="name")


def set_name(row: Named, name: str) -> None:
    """Set a row's name, and what it is found by."""
    row.name, row.name_digest, row.name_folded = name, names.digest(name), names.fold(name)
