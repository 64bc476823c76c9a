"""Disks of devboxes, as the packages ask about them whose snapshots and blueprints devboxes are made from."""

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox.lifecycle.states import COMING_UP, FINAL, Status
from loopyard.devbox.repository import DevboxRepository
from loopyard.kit.errors import Busy, WrongState
from loopyard.snapshot.source import SourceDisk


async def is_being_made_from_snapshot(session: AsyncSession, snapshot_id: str) -> bool:
    """True if a devbox is just being made from the snapshot."""
    return await DevboxRepository(session).is_being_made_from_snapshot(snapshot_id)


async def lock_disk(session: AsyncSession, account_id: str, devbox_id: str) -> SourceDisk:
    """The disk of a devbox that runs or is suspended, which is kept from changing its status until the transaction
    ends.

    Raises:
        NotFound: The account has no such devbox.
        Busy: The devbox is just coming up, or going to sleep.
        WrongState: It has ended.
    """
    devbox = await DevboxRepository(session).get_one_owned_for_update(devbox_id, account_id)
    if devbox.status in FINAL:
        raise WrongState(f"Devbox {devbox_id} is {devbox.status}; its disk is gone.")
    if devbox.status in COMING_UP or devbox.status == Status.SUSPENDING:
        raise Busy(f"Devbox {devbox_id} is {devbox.status}; wait until it is running or suspended.")
    return SourceDisk(devbox.blueprint_id, devbox.image)
