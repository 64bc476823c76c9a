"""SQL for axons."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, bindparam, delete, select

from loopyard.axon.models import Axon, AxonEvent, AxonMetadata
from loopyard.kit.db.repository import OwnedRepository
from loopyard.kit.lists import names
from loopyard.kit.lists.metadata import MetadataFilter, entries
from loopyard.kit.lists.paging import Page, PageQuery

_AXON = Axon.metadata.tables["axon"]
_HEADS = select(_AXON.c.id, _AXON.c.account_id, _AXON.c.last_sequence).where(
    _AXON.c.id.in_(bindparam("wanted", expanding=True)), _AXON.c.deleted_at_ms.is_(None)
)
_HEADS_FOR_UPDATE = _HEADS.order_by(_AXON.c.id).with_for_update()


@dataclass(frozen=True, slots=True)
class AxonFilters:
    """Conditions of a list: a whole id, the start of a name, the start of an id or a part of a name, metadata."""

    id: str | None = None
    name: str | None = None
    search: str | None = None
    metadata: MetadataFilter = ()


@dataclass(frozen=True, slots=True)
class AxonHead:
    """How far an active axon is."""

    account_id: str
    last_sequence: int


class AxonRepository(OwnedRepository[Axon]):
    """Axons. To accounts, deleted ones are not there."""

    model = Axon
    kind = "axon"

    def is_of(self, row: Axon, account_id: str) -> bool:
        """True if the axon is the account's, and not deleted."""
        return row.account_id == account_id and row.deleted_at_ms is None

    async def create(self, row: Axon) -> Axon:
        """Write a new axon, and what it is found by."""
        self._index(row)
        return await super().create(row)

    async def heads(self, axon_ids: Collection[str]) -> dict[str, AxonHead]:
        """How far those of the axons are that are not deleted."""
        rows = await self._session.execute(_HEADS, {"wanted": sorted(axon_ids)})
        return {row[0]: AxonHead(row[1], row[2]) for row in rows}

    async def heads_for_update(self, axon_ids: Collection[str]) -> dict[str, AxonHead]:
        """How far those of the axons are that are not deleted; nobody else appends to them until the transaction ends.
        Locks are taken in the order of ids, so that two transactions never wait for each other."""
        rows = await self._session.execute(_HEADS_FOR_UPDATE, {"wanted": sorted(axon_ids)})
        return {row[0]: AxonHead(row[1], row[2]) for row in rows}

    async def replace_metadata(self, axon: Axon, metadata: dict[str, str]) -> None:
        axon.metadata_ = metadata
        await self._session.execute(delete(AxonMetadata).where(AxonMetadata.axon_id == axon.id))
        self._index(axon)
        await self._session.flush()

    def _index(self, axon: Axon) -> None:
        for entry in entries(axon.metadata_):
            self._session.add(AxonMetadata(axon_id=axon.id, entry=entry))

    async def list_page(self, account_id: str, filters: AxonFilters, query: PageQuery) -> Page[Axon]:
        """The account's active axons, newest first."""
        conditions: list[ColumnElement[bool]] = [Axon.account_id == account_id, Axon.deleted_at_ms.is_(None)]
        if filters.id is not None:
            conditions.append(Axon.id == filters.id)
        if filters.name:
            conditions.append(Axon.name_folded.startswith(names.fold(filters.name), autoescape=True))
        if filters.search:
            conditions.append(names.matches(Axon.id, Axon.name_folded, filters.search))
        for wanted in filters.metadata:
            found = select(AxonMetadata.axon_id).where(AxonMetadata.entry.in_(sorted(wanted)))
            conditions.append(Axon.id.in_(found))
        return await self._page(query, *conditions)

    async def ids_deleted(self) -> Sequence[str]:
        """Deleted axons, of which there is something still."""
        return (await self._session.scalars(select(Axon.id).where(Axon.deleted_at_ms.is_not(None)))).all()

    async def known_ids(self, axon_ids: Collection[str]) -> set[str]:
        """The ids among these that have a row, deleted or not."""
        return set((await self._session.scalars(select(Axon.id).where(Axon.id.in_(axon_ids)))).all())

    async def delete_events(self, axon_id: str, until: int) -> None:
        """Erase a deleted axon's events of sequences up to `until`."""
        await self._session.execute(delete(AxonEvent).where(AxonEvent.axon_id == axon_id, AxonEvent.sequence <= until))

    async def delete_all_of(self, axon_id: str) -> None:
        """Erase a deleted axon's row and metadata."""
        await self._session.execute(delete(AxonMetadata).where(AxonMetadata.axon_id == axon_id))
        await self._session.execute(delete(Axon).where(Axon.id == axon_id, Axon.deleted_at_ms.is_not(None)))

    async def deleted_last_sequence(self, axon_id: str) -> int | None:
        """The last sequence of a deleted axon; None if there is no such axon or it is active."""
        return await self._session.scalar(
            select(Axon.last_sequence).where(Axon.id == axon_id, Axon.deleted_at_ms.is_not(None))
        )
