"""The decisions to suspend a devbox and to resume it. They are acted on after their commit."""

from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox.lifecycle.states import Status, move
from loopyard.devbox.models import Devbox
from loopyard.kit.db.database import after_commit

Begin = Callable[[str], None]
"""Starts to do what the status of the devbox of this id asks for."""


def suspend(session: AsyncSession, devbox: Devbox, begin: Begin) -> None:
    """Suspend a devbox that runs. An eviction that was announced is done with.

    Raises:
        WrongState: It does not run.
    """
    move(devbox, Status.SUSPENDING)
    devbox.evict_at_ms = None
    after_commit(session, lambda: begin(devbox.id))


def resume(session: AsyncSession, devbox: Devbox, begin: Begin) -> None:
    """Resume a suspended devbox.

    Raises:
        WrongState: It is not suspended.
    """
    move(devbox, Status.RESUMING)
    devbox.starts += 1
    after_commit(session, lambda: begin(devbox.id))
