"""SQL for executions."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Insert, bindparam, exists, func, select, update

from loopyard.devbox.execution.models import REQUEST, Execution
from loopyard.devbox.execution.states import COMPLETED, QUEUED, RUNNING, ExecutionStatus
from loopyard.devbox.lifecycle.states import Status
from loopyard.devbox.models import Devbox
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import Database, dialect_of, insert_into
from loopyard.kit.db.repository import Repository
from loopyard.runtime.protocol import CommandResult
from loopyard.store.base import Base

_table = Base.metadata.tables[Execution.__tablename__]
_devboxes = Base.metadata.tables[Devbox.__tablename__]
_RUNS = str(Status.RUNNING)

# The two statements of every command. They are built once, and know nothing of objects: half of their cost is saved.
_ENDING = (
    update(_table)
    .where(
        _table.c.devbox_id == bindparam("of_devbox"),
        _table.c.id == bindparam("of_id"),
        _table.c.status != COMPLETED,
    )
    .values(
        status=COMPLETED,
        exit_status=bindparam("exit_status"),
        timed_out=bindparam("timed_out"),
        lost=bindparam("lost"),
        end_time_ms=bindparam("ended_at"),
    )
    .returning(_table.c.id)
)


@cache
def _insertion(dialect: str) -> Insert:
    return insert_into(_table, dialect).on_conflict_do_nothing().returning(_table.c.id)


@cache
def _insertion_if_running(dialect: str) -> Insert:
    runs = exists().where(
        _devboxes.c.id == bindparam("devbox_id", type_=_table.c.devbox_id.type),
        _devboxes.c.account_id == bindparam("of_account"),
        _devboxes.c.status == _RUNS,
    )
    given = select(*(bindparam(column.name, type_=column.type) for column in _table.c)).where(runs)
    names = [column.name for column in _table.c]
    return insert_into(_table, dialect).from_select(names, given).on_conflict_do_nothing().returning(_table.c.id)


async def insert_if_running(database: Database, account_id: str, values: dict[str, Any]) -> bool:
    """Insert an execution if its devbox is the account's and runs, and the id is not used in it; tell whether it was
    inserted. A transaction by itself."""
    given = {**dict.fromkeys(_table.c.keys()), **values, "of_account": account_id}
    statement = _insertion_if_running(database.engine.dialect.name)
    return await database.write_at_once(statement, given) is not None


async def insert_at_once(database: Database, values: dict[str, Any]) -> bool:
    """Insert an execution unless its id is used in the devbox; tell whether it was. A transaction by itself."""
    given = {**dict.fromkeys(_table.c.keys()), **values}
    return await database.write_at_once(_insertion(database.engine.dialect.name), given) is not None


async def finish(
    database: Database,
    devbox_id: str,
    execution_id: str,
    result: CommandResult,
    *,
    only: ExecutionStatus | None = None,
) -> bool:
    """Record how it ended, unless that is recorded already, or its status is not `only`; tell whether it was. A
    transaction by itself."""
    statement = _ENDING
    if only is not None:
        statement = statement.where(_table.c.status == only)
    given = {
        "of_devbox": devbox_id,
        "of_id": execution_id,
        "ended_at": now_ms(),
        "exit_status": result.exit_status,
        "timed_out": result.timed_out,
        "lost": result.lost,
    }
    return await database.write_at_once(statement, given) is not None


class ExecutionRepository(Repository):
    async def get_in_devbox(self, devbox_id: str, execution_id: str) -> Execution | None:
        return await self._session.get(Execution, (devbox_id, execution_id))

    async def request_digest(self, devbox_id: str, execution_id: str) -> str | None:
        """Of the request that an execution was started by; None if that is not known."""
        spec = await self._session.scalar(
            select(Execution.spec).where(Execution.devbox_id == devbox_id, Execution.id == execution_id)
        )
        return None if spec is None else spec.get(REQUEST)

    async def create_if_new(self, values: dict[str, Any]) -> bool:
        """Insert an execution unless its id is used in the devbox; tell whether it was inserted."""
        return await self._session.scalar(_insertion(dialect_of(self._session)), values) is not None

    async def last_in_shell(self, devbox_id: str, shell_name: str) -> int:
        """The position of the newest command of a named shell; 0 if it had none."""
        statement = select(func.max(Execution.shell_position)).where(
            Execution.devbox_id == devbox_id, Execution.shell_name == shell_name
        )
        return await self._session.scalar(statement) or 0

    async def begin(self, devbox_id: str, execution_id: str) -> bool:
        """Record that a queued command runs now; false if it does not wait any more."""
        statement = (
            update(Execution)
            .where(Execution.devbox_id == devbox_id, Execution.id == execution_id, Execution.status == QUEUED)
            .values(status=RUNNING, start_time_ms=now_ms())
            .returning(Execution.id)
            .execution_options(synchronize_session=False)
        )
        return await self._session.scalar(statement) is not None

    async def list_unfinished(self) -> Sequence[Execution]:
        """All that have not ended; those of a named shell in their order."""
        statement = (
            select(Execution)
            .where(Execution.status != COMPLETED)
            .order_by(Execution.shell_position, Execution.start_time_ms)
        )
        return (await self._session.scalars(statement)).all()

    async def list_of_devbox(self, devbox_id: str) -> Sequence[Execution]:
        """All executions of a devbox, oldest first."""
        statement = (
            select(Execution).where(Execution.devbox_id == devbox_id).order_by(Execution.start_time_ms, Execution.id)
        )
        return (await self._session.scalars(statement)).all()

    async def overview(self, devbox_id: str, most: int) -> tuple[list[Execution], int]:
        """The executions of a devbox, oldest first: the last `most` of those that callers asked for, and the last
        `most` of the server's own; and how many there are besides."""
        found: list[Execution] = []
        of_devbox = Execution.devbox_id == devbox_id
        newest = (Execution.start_time_ms.desc(), Execution.id.desc())
        for of_kind in (Execution.purpose == "exec", Execution.purpose != "exec"):
            statement = select(Execution).where(of_devbox, of_kind).order_by(*newest).limit(most)
            found += (await self._session.scalars(statement)).all()
        found.sort(key=lambda one: (one.start_time_ms, one.id))
        total = await self._session.scalar(select(func.count()).select_from(Execution).where(of_devbox)) or 0
        return found, total - len(found)
