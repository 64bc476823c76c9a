"""Repeats of a request do nothing twice.

The official clients send the same `x-request-id` header with every retry of one call. The first request that creates
something claims its key in the same transaction as the row it makes; a repeat finds that row. A digest of the request
goes with the key: another request with the same key is refused, rather than answered with what the first one made.
"""

import hashlib
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request
from sqlalchemy import String, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import upsert_into
from loopyard.kit.errors import RequestKeyReused
from loopyard.kit.host.host_room import HostRoom
from loopyard.kit.http.parts import parts_of
from loopyard.store.base import Base, ForeignId

KEEP_MS = 24 * 3600 * 1000
"""How long a key is remembered: a day, in milliseconds."""

_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class RequestIdentity:
    """The key that came with a request, and the request's digest, in hexadecimal."""

    key: str
    digest: str

    def check(self, earlier: str | None) -> None:
        """Make sure that the request of this key which came `earlier`, by its digest, was the same; None is not known,
        and passes.

        Raises:
            RequestKeyReused: It was another one.
        """
        if earlier is not None and earlier != self.digest:
            raise RequestKeyReused(self.key)


async def _identity(
    request: Request,
    x_request_id: Annotated[
        str | None,
        Header(
            alias="x-request-id",
            max_length=255,
            description="The same for every retry of one call, another one for every other call; made by clients.",
        ),
    ] = None,
) -> RequestIdentity | None:
    """The identity of a request that may be repeated; None without a key. All of these begin something that writes.

    Raises:
        StorageFull: The host's disk has no room for that.
    """
    parts_of(request.app).get(HostRoom).check()
    if x_request_id is None or "\x00" in x_request_id:
        return None
    digest = hashlib.blake2b(f"{request.method} {request.url.path}\n".encode(), digest_size=_DIGEST_BYTES)
    digest.update(await request.body())
    return RequestIdentity(x_request_id, digest.hexdigest())


RequestKey = Annotated[RequestIdentity | None, Depends(_identity)]


class IdempotencyKey(Base):
    __tablename__ = "idempotency_key"

    account_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    operation: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    resource_id: Mapped[ForeignId]
    create_time_ms: Mapped[int] = mapped_column(index=True)
    digest: Mapped[str | None] = mapped_column(String(64))
    """Of the request; None for those of before it was kept."""


async def claim(
    session: AsyncSession, account_id: str, operation: str, request: RequestIdentity | None, resource_id: str
) -> str:
    """Claim a request's key for the resource about to be made.

    Returns:
        `resource_id` if this is the first request with the key (or it has none), else the id made by the first.

    Raises:
        RequestKeyReused: The first request with the key was another one.
    """
    if request is None:
        return resource_id
    statement = upsert_into(session, IdempotencyKey).values(
        account_id=account_id,
        operation=operation,
        key=request.key,
        resource_id=resource_id,
        create_time_ms=now_ms(),
        digest=request.digest,
    )
    await session.execute(statement.on_conflict_do_nothing())
    found = await session.execute(
        select(IdempotencyKey.resource_id, IdempotencyKey.digest).where(
            IdempotencyKey.account_id == account_id,
            IdempotencyKey.operation == operation,
            IdempotencyKey.key == request.key,
        )
    )
    for owner, digest in found:
        request.check(digest)
        return owner
    return resource_id


async def has_old(session: AsyncSession) -> bool:
    """True if there are keys older than `KEEP_MS`."""
    old = IdempotencyKey.create_time_ms < now_ms() - KEEP_MS
    return await session.scalar(select(IdempotencyKey.key).where(old).limit(1)) is not None


async def forget_old(session: AsyncSession) -> None:
    """Delete the keys older than `KEEP_MS`."""
    await session.execute(delete(IdempotencyKey).where(IdempotencyKey.create_time_ms < now_ms() - KEEP_MS))
