"""The one way a devbox ends, whoever ends it."""

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox.lifecycle.states import FailureReason, ShutdownReason, Status, move
from loopyard.devbox.models import Devbox
from loopyard.kit.db.database import after_commit

EndListener = Callable[[AsyncSession, Devbox], Awaitable[None]]
"""Called in the transaction in which a devbox ends, so that what depends on the devbox ends with it or not at all."""


class Endings:
    """Ends devboxes and tells those who depend on them. `committed` is called with the id after the commit."""

    def __init__(self, committed: Callable[[str], None]) -> None:
        self._committed = committed
        self._listeners: list[EndListener] = []

    def add_listener(self, listener: EndListener) -> None:
        self._listeners.append(listener)

    async def shut_down(self, session: AsyncSession, devbox: Devbox, reason: ShutdownReason) -> None:
        """Move the devbox to `shutdown`; the runtime frees it once this is committed.

        Raises:
            WrongState: It has ended already.
        """
        move(devbox, Status.SHUTDOWN)
        devbox.shutdown_reason = reason
        await self._tell(session, devbox)

    async def fail(
        self, session: AsyncSession, devbox: Devbox, reason: FailureReason, message: str, *, in_setup: bool = False
    ) -> None:
        """Move the devbox to `failure`, with `message` for people; the runtime frees it once this is committed.
        `in_setup` records that what was asked to be done before it first ran has failed.

        Raises:
            WrongState: It has ended already.
        """
        move(devbox, Status.FAILURE, message=message, in_setup=in_setup)
        devbox.failure_reason = reason
        await self._tell(session, devbox)

    async def _tell(self, session: AsyncSession, devbox: Devbox) -> None:
        for listener in self._listeners:
            await listener(session, devbox)
        after_commit(session, lambda: self._committed(devbox.id))
