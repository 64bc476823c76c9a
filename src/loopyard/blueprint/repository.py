"""SQL for blueprints."""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, select, update

from loopyard.blueprint.models import Blueprint
from loopyard.blueprint.states import CREATED, DELETED, UNFINISHED, Status
from loopyard.kit.db.repository import OwnedRepository
from loopyard.kit.lists import names
from loopyard.kit.lists.paging import Page, PageQuery


class BlueprintRepository(OwnedRepository[Blueprint]):
    model = Blueprint
    kind = "blueprint"

    async def count_unfinished(self, account_id: str) -> int:
        """How many builds of the account are under way."""
        unfinished = Blueprint.status.in_(UNFINISHED)
        return await self._count(Blueprint.account_id == account_id, unfinished, Blueprint.state != DELETED)

    async def get_latest(self, account_id: str, name: str) -> Blueprint | None:
        """The newest of this name that is complete."""
        statement = (
            select(Blueprint)
            .where(Blueprint.account_id == account_id, Blueprint.name_digest == names.digest(name))
            .where(Blueprint.status == Status.COMPLETE, Blueprint.state == CREATED)
            .order_by(Blueprint.id.desc())
            .limit(1)
        )
        return await self._session.scalar(statement)

    async def list_page(
        self,
        query: PageQuery,
        *,
        account_id: str | None,
        name: str | None,
        status: str | None,
    ) -> Page[Blueprint]:
        """List blueprints that are not deleted, newest first: an account's, or with None the public ones."""
        conditions: list[ColumnElement[bool]] = [Blueprint.state == CREATED]
        conditions.append(Blueprint.is_public.is_(True) if account_id is None else Blueprint.account_id == account_id)
        if name is not None:
            conditions.append(Blueprint.name_digest == names.digest(name))
        if status is not None:
            conditions.append(Blueprint.status == status)
        return await self._page(query, *conditions)

    async def ids_unfinished(self) -> Sequence[str]:
        """List the ids of unfinished blueprints, oldest first."""
        statement = select(Blueprint.id).where(Blueprint.status.in_(UNFINISHED), Blueprint.state == CREATED)
        return (await self._session.scalars(statement.order_by(Blueprint.id))).all()

    async def ids_to_reclaim(self) -> Sequence[str]:
        """Deleted ones of which the host may hold something."""
        statement = select(Blueprint.id).where(Blueprint.state == DELETED, ~Blueprint.reclaimed)
        return (await self._session.scalars(statement)).all()

    async def is_being_built_on(self, blueprint_id: str) -> bool:
        """True if another blueprint is just being built on it."""
        on_it = Blueprint.base_blueprint_id == blueprint_id
        return await self._exists(on_it, Blueprint.status.in_(UNFINISHED), Blueprint.state == CREATED)

    async def list_by_ids(self, blueprint_ids: Collection[str]) -> Sequence[Blueprint]:
        """Return those of the ids that have rows."""
        return (await self._session.scalars(select(Blueprint).where(Blueprint.id.in_(blueprint_ids)))).all()

    async def mark_reclaimed(self, blueprint_id: str) -> None:
        await self._session.execute(update(Blueprint).where(Blueprint.id == blueprint_id).values(reclaimed=True))
