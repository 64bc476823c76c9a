"""SQL for what a server has."""

from sqlalchemy import func, select, text
from sqlalchemy.orm import InstrumentedAttribute

from loopyard.blueprint.models import Blueprint
from loopyard.devbox.models import Devbox
from loopyard.kit.db.repository import Repository
from loopyard.object.models import StorageObject
from loopyard.scenario.run.models import ScenarioRun
from loopyard.snapshot.models import Snapshot

_COUNTED: dict[str, InstrumentedAttribute[str]] = {
    "devboxes": Devbox.status,
    "snapshots": Snapshot.status,
    "blueprints": Blueprint.status,
    "objects": StorageObject.state,
    "scenario_runs": ScenarioRun.state,
}


class UpkeepRepository(Repository):
    async def counts(self) -> dict[str, dict[str, int]]:
        """How many rows there are of each kind, by their state."""
        found: dict[str, dict[str, int]] = {}
        for name, state in _COUNTED.items():
            rows = (await self._session.execute(select(state, func.count()).group_by(state).order_by(state))).all()
            found[name] = {str(value): count for value, count in rows}
        return found

    async def held(self) -> tuple[int, int]:
        """How many devboxes and snapshots there are that the provider of sandboxes may hold something of."""
        devboxes, snapshots = (
            select(func.count()).select_from(kind).where(~kind.reclaimed) for kind in (Devbox, Snapshot)
        )
        return await self._session.scalar(devboxes) or 0, await self._session.scalar(snapshots) or 0

    async def object_bytes(self) -> int:
        """The bytes of all objects that are kept."""
        statement = select(func.coalesce(func.sum(StorageObject.size_bytes), 0)).where(~StorageObject.reclaimed)
        return int(await self._session.scalar(statement) or 0)

    async def database_bytes(self) -> int | None:
        """The size of a PostgreSQL database; None for SQLite, which is files."""
        if self._session.get_bind().dialect.name != "postgresql":
            return None
        return int(await self._session.scalar(text("SELECT pg_database_size(current_database())")) or 0)
