"""Decisions about axons."""

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.axon import repository
from loopyard.axon.event.subscribers import Subscribers
from loopyard.axon.models import Axon
from loopyard.axon.schemas import AxonCreateParams, AxonUpdateParams
from loopyard.kit import names
from loopyard.kit.clock import now_ms
from loopyard.kit.db import after_commit
from loopyard.kit.errors import NotFound


async def create(session: AsyncSession, account_id: str, params: AxonCreateParams, *, axon_id: str) -> Axon:
    """Add a new axon without events."""
    axon = Axon(
        id=axon_id,
        account_id=account_id,
        name=params.name,
        name_folded=None if params.name is None else names.fold(params.name),
        metadata_=params.metadata or {},
        last_sequence=0,
        created_at_ms=now_ms(),
        deleted_at_ms=None,
    )
    await repository.insert(session, axon)
    return axon


async def get(session: AsyncSession, account_id: str, axon_id: str, *, lock: bool = False) -> Axon:
    """An active axon of the account.

    Raises:
        NotFound: It has none of this id, or deleted it.
    """
    axon = await repository.active(session, axon_id, account_id, lock=lock)
    if axon is None:
        raise not_found(axon_id)
    return axon


async def update(session: AsyncSession, account_id: str, axon_id: str, params: AxonUpdateParams) -> Axon:
    """Replace the metadata, if new is given.

    Raises:
        NotFound: The account has no such axon.
    """
    axon = await get(session, account_id, axon_id, lock=True)
    if params.metadata is not None:
        await repository.replace_metadata(session, axon, params.metadata)
    return axon


async def delete(session: AsyncSession, account_id: str, axon_id: str, subscribers: Subscribers) -> None:
    """Mark an axon deleted, and end its subscriptions once that is committed. What it holds is freed later.

    Raises:
        NotFound: The account has no such axon.
    """
    axon = await get(session, account_id, axon_id, lock=True)
    axon.deleted_at_ms = now_ms()
    await session.flush()
    after_commit(session, lambda: subscribers.deleted(axon_id))


def not_found(axon_id: str) -> NotFound:
    """The error for an axon that the account does not have."""
    return NotFound(f"There is no axon {axon_id}.", field="id")
