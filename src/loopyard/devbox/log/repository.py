"""SQL for logs."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import defer

from loopyard.devbox.execution.models import Execution
from loopyard.devbox.lifecycle.states import Status
from loopyard.devbox.log.models import DevboxEvent
from loopyard.devbox.models import Devbox
from loopyard.kit.db.database import upsert_into
from loopyard.kit.db.repository import Repository


class DevboxLogRepository(Repository):
    async def create_new(self, events: Sequence[dict[str, Any]]) -> None:
        """Write events down; those whose id the devbox has already are left out."""
        if events:
            statement = upsert_into(self._session, DevboxEvent).values(list(events))
            await self._session.execute(statement.on_conflict_do_nothing())

    async def list_newest_events(self, devbox_id: str, limit: int) -> Sequence[DevboxEvent]:
        """Newest first."""
        statement = select(DevboxEvent).where(DevboxEvent.devbox_id == devbox_id)
        return (await self._session.scalars(statement.order_by(DevboxEvent.time_ms.desc()).limit(limit))).all()

    async def list_newest_executions(
        self, devbox_id: str, limit: int, *, execution_id: str | None, shell_name: str | None
    ) -> Sequence[Execution]:
        """Executions that the devbox's users may see, newest first, without their `spec`."""
        conditions: list[ColumnElement[bool]] = [Execution.devbox_id == devbox_id, Execution.purpose != "scoring"]
        if execution_id is not None:
            conditions.append(Execution.id == execution_id)
        if shell_name is not None:
            conditions.append(Execution.shell_name == shell_name)
        statement = select(Execution).where(*conditions).options(defer(Execution.spec))
        newest = statement.order_by(Execution.start_time_ms.desc(), Execution.id.desc()).limit(limit)
        return (await self._session.scalars(newest)).all()

    async def ids_running(self) -> Sequence[tuple[str, int]]:
        """The devboxes that run: their ids, and which start of theirs it is."""
        statement = select(Devbox.id, Devbox.starts).where(~Devbox.reclaimed, Devbox.status == Status.RUNNING)
        return [(devbox_id, starts) for devbox_id, starts in (await self._session.execute(statement)).all()]
