"""SQL for executions."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox.execution.models import Execution
from loopyard.devbox.execution.states import COMPLETED
from loopyard.kit.clock import now_ms
from loopyard.kit.db import upsert_into
from loopyard.runtime.protocol import CommandResult


async def get(session: AsyncSession, devbox_id: str, execution_id: str) -> Execution | None:
    return await session.get(Execution, (devbox_id, execution_id))


async def insert(session: AsyncSession, values: dict[str, Any]) -> bool:
    """Insert an execution unless its id is used in the devbox; tell whether it was inserted."""
    statement = upsert_into(session, Execution).values(**values).on_conflict_do_nothing().returning(Execution.id)
    return await session.scalar(statement) is not None


async def finish(session: AsyncSession, devbox_id: str, execution_id: str, result: CommandResult) -> None:
    """Record how it ended, unless that is recorded already."""
    await session.execute(
        update(Execution)
        .where(Execution.devbox_id == devbox_id, Execution.id == execution_id, Execution.status != COMPLETED)
        .values(
            status=COMPLETED,
            exit_status=result.exit_status,
            timed_out=result.timed_out,
            lost=result.lost,
            end_time_ms=now_ms(),
        )
        .execution_options(synchronize_session=False)
    )


async def unfinished(session: AsyncSession) -> Sequence[Execution]:
    return (await session.scalars(select(Execution).where(Execution.status != COMPLETED))).all()


async def of_devbox(session: AsyncSession, devbox_id: str) -> Sequence[Execution]:
    """All executions of a devbox, oldest first."""
    statement = (
        select(Execution).where(Execution.devbox_id == devbox_id).order_by(Execution.start_time_ms, Execution.id)
    )
    return (await session.scalars(statement)).all()
