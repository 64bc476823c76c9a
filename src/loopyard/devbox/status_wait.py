"""Waiting for a devbox's status, in the server's own tasks."""

from collections.abc import Set as AbstractSet

from loopyard.devbox.lifecycle.states import Status
from loopyard.devbox.repository import DevboxRepository
from loopyard.kit.db.changes import Changes
from loopyard.kit.db.database import Database


async def wait_for_status(
    database: Database, changes: Changes, devbox_id: str, statuses: AbstractSet[Status], timeout: float | None
) -> str | None:
    """Wait until a devbox of whatever account has one of the statuses, and return it; None if there is no such devbox.

    `timeout` is the number of seconds to wait at most; None waits for ever.

    Raises:
        WaitTimeout: The time passed without one of them.
    """

    async def read() -> str | None:
        async with database.read() as session:
            devbox = await DevboxRepository(session).get_by_id(devbox_id)
        return None if devbox is None else devbox.status

    return await changes.wait_until(devbox_id, read, lambda status: status is None or status in statuses, timeout)
