"""Repeats of a request do nothing twice.

The official clients send the same `x-request-id` header with every retry of one call. The first request that creates
something claims its key in the same transaction as the row it makes; a repeat finds that row.
"""

from typing import Annotated

from fastapi import Header
from sqlalchemy import String, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.kit.clock import now_ms
from loopyard.kit.db import upsert_into
from loopyard.store.base import Base, ForeignId

KEEP_MS = 24 * 3600 * 1000
"""How long a key is remembered: a day, in milliseconds."""

RequestKey = Annotated[
    str | None,
    Header(
        alias="x-request-id",
        max_length=255,
        description="The same for every retry of one call; made by clients.",
    ),
]


class IdempotencyKey(Base):
    __tablename__ = "idempotency_key"

    account_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    operation: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    resource_id: Mapped[ForeignId]
    create_time_ms: Mapped[int] = mapped_column(index=True)


async def claim(session: AsyncSession, account_id: str, operation: str, key: str | None, resource_id: str) -> str:
    """Claim `key` for the resource about to be made.

    Returns:
        `resource_id` if this is the first request with the key (or it has none), else the id made by the first.
    """
    if key is None or "\x00" in key:
        return resource_id
    statement = upsert_into(session, IdempotencyKey).values(
        account_id=account_id, operation=operation, key=key, resource_id=resource_id, create_time_ms=now_ms()
    )
    await session.execute(statement.on_conflict_do_nothing())
    owner = await session.scalar(
        select(IdempotencyKey.resource_id).where(
            IdempotencyKey.account_id == account_id,
            IdempotencyKey.operation == operation,
            IdempotencyKey.key == key,
        )
    )
    return owner or resource_id


async def has_old(session: AsyncSession) -> bool:
    """Whether there are keys older than `KEEP_MS`."""
    old = IdempotencyKey.create_time_ms < now_ms() - KEEP_MS
    return await session.scalar(select(IdempotencyKey.key).where(old).limit(1)) is not None


async def forget_old(session: AsyncSession) -> None:
    """Delete the keys older than `KEEP_MS`."""
    await session.execute(delete(IdempotencyKey).where(IdempotencyKey.create_time_ms < now_ms() - KEEP_MS))
