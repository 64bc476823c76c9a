"""Decisions about axons."""

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.axon.event.subscribers import Subscribers
from loopyard.axon.models import Axon
from loopyard.axon.repository import AxonRepository
from loopyard.axon.schemas import AxonCreateParams, AxonUpdateParams
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import after_commit
from loopyard.kit.lists import names


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
    return await AxonRepository(session).create(axon)


async def update(session: AsyncSession, account_id: str, axon_id: str, params: AxonUpdateParams) -> Axon:
    """Replace the metadata, if new is given.

    Raises:
        NotFound: The account has no such axon.
    """
    axons = AxonRepository(session)
    axon = await axons.get_one_owned_for_update(axon_id, account_id)
    if params.metadata is not None:
        await axons.replace_metadata(axon, params.metadata)
    return axon


async def delete(session: AsyncSession, account_id: str, axon_id: str, subscribers: Subscribers) -> None:
    """Mark an axon deleted, and end its subscriptions once that is committed. What it holds is freed later.

    Raises:
        NotFound: The account has no such axon.
    """
    axons = AxonRepository(session)
    axon = await axons.get_one_owned_for_update(axon_id, account_id)
    axon.deleted_at_ms = now_ms()
    await axons.update(axon)
    after_commit(session, lambda: subscribers.deleted(axon_id))
