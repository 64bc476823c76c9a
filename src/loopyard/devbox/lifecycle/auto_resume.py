"""Resumes a suspended devbox when something comes for it."""

from loopyard.devbox.create.quota import DevboxQuota
from loopyard.devbox.lifecycle.states import Status
from loopyard.devbox.lifecycle.transitions import Begin, resume
from loopyard.devbox.models import Devbox
from loopyard.devbox.repository import DevboxRepository
from loopyard.kit.db.changes import Changes
from loopyard.kit.db.database import Database
from loopyard.launch.parameters import LaunchParameters


class AutoResume:
    """Resumes devboxes for requests and events that need them running."""

    def __init__(self, database: Database, changes: Changes, quota: DevboxQuota, begin: Begin) -> None:
        self._database = database
        self._changes = changes
        self._quota = quota
        self._begin = begin

    async def wake(self, devbox: Devbox) -> None:
        """Resume a devbox if it is suspended.

        Raises:
            LimitReached: The account has as many running devboxes, or as large ones, as it may have.
        """
        async with self._database.write() as session:
            row = await DevboxRepository(session).get_by_id_for_update(devbox.id)
            if row is not None and row.status == Status.SUSPENDED:
                size = LaunchParameters.model_validate(row.launch_parameters).limits
                await self._quota.admit(session, row.account_id, size, sleeping=True)
                resume(session, row, self._begin)
        self._changes.publish(devbox.id)
