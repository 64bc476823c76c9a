"""SQL for registered scorers."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, select

from loopyard.kit.db.database import upsert_into
from loopyard.kit.db.repository import OwnedRepository
from loopyard.kit.lists import names
from loopyard.kit.lists.paging import Page, PageQuery
from loopyard.scorer.registered.models import RegisteredScorer


class RegisteredScorerRepository(OwnedRepository[RegisteredScorer]):
    model = RegisteredScorer
    kind = "scorer"

    async def create_if_new(self, scorer: RegisteredScorer) -> bool:
        """Add a scorer, unless its type is taken in its account; tell whether it was added."""
        values = {column.key: getattr(scorer, column.key) for column in RegisteredScorer.__table__.columns}
        statement = upsert_into(self._session, RegisteredScorer).values(**values).on_conflict_do_nothing()
        return await self._session.scalar(statement.returning(RegisteredScorer.id)) is not None

    async def id_of_type(self, account_id: str, scorer_type: str) -> str | None:
        """The account's scorer of a type."""
        named = (RegisteredScorer.account_id == account_id, RegisteredScorer.type == scorer_type)
        return await self._session.scalar(select(RegisteredScorer.id).where(*named))

    async def scripts(self, account_id: str, types: Collection[str]) -> dict[str, str]:
        """The scripts of those of the types that the account has scorers of, by type."""
        if not types:
            return {}
        named = (RegisteredScorer.account_id == account_id, RegisteredScorer.type.in_(types))
        statement = select(RegisteredScorer.type, RegisteredScorer.bash_script).where(*named)
        return {row[0]: row[1] for row in await self._session.execute(statement)}

    async def list_page(self, account_id: str, search: str | None, query: PageQuery) -> Page[RegisteredScorer]:
        """A page of the account's scorers; `search` is the start of an id, or a part of a type whatever its case."""
        conditions: list[ColumnElement[bool]] = [RegisteredScorer.account_id == account_id]
        if search:
            conditions.append(names.matches(RegisteredScorer.id, RegisteredScorer.type_folded, search))
        return await self._page(query, *conditions)
