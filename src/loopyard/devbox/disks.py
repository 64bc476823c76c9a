"""Disks of devboxes, as the packages ask about them whose snapshots and blueprints devboxes are made from."""

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox import repository
from loopyard.devbox.lifecycle.states import COMING_UP, FINAL, Status
from loopyard.kit.errors import Busy, NotFound, WrongState
from loopyard.snapshot.source import SourceDisk

is_being_made_from_snapshot = repository.is_being_made_from_snapshot


async def lock_disk(session: AsyncSession, account_id: str, devbox_id: str) -> SourceDisk:
    """The disk of a devbox that runs or is suspended, which is kept from changing its status until the transaction
    ends.

    Raises:
        NotFound: The account has no such devbox.
        Busy: The devbox is just coming up, or going to sleep.
        WrongState: It has ended.
    """
    devbox = await repository.lock(session, devbox_id)
    if devbox is None or devbox.account_id != account_id:
        raise NotFound(f"There is no devbox {devbox_id}.", field="id")
    if devbox.status in FINAL:
        raise WrongState(f"Devbox {devbox_id} is {devbox.status}; its disk is gone.")
    if devbox.status in COMING_UP or devbox.status == Status.SUSPENDING:
        raise Busy(f"Devbox {devbox_id} is {devbox.status}; wait until it is running or suspended.")
    return SourceDisk(devbox.blueprint_id, devbox.image)
