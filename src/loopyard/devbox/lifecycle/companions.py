"""Parts of the server that live with devboxes, and are told of what becomes of them."""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.devbox.models import Devbox
from loopyard.launch.mounts import Mount


class Companion(Protocol):
    """Something that runs in devboxes, or beside them, while they do."""

    async def bind(self, session: AsyncSession, devbox: Devbox, mounts: Sequence[Mount] | None) -> None:
        """Take part in the creation of a devbox, in its transaction.

        Raises:
            BadRequest: What is asked for cannot be.
        """
        ...

    async def entered(self, session: AsyncSession, devbox: Devbox, was: str) -> None:
        """The devbox comes to run, or is suspended now, in this transaction; `was` is its status before."""
        ...

    def run(self, devbox: Devbox) -> None:
        """The devbox runs."""
        ...

    async def rest(self, devbox: Devbox, seconds: float) -> None:
        """The devbox is about to be suspended, and is for as long as this takes, at most these seconds."""
        ...

    async def suspended(self, devbox: Devbox) -> None:
        """The devbox is suspended."""
        ...


class Companions:
    """All of them, told one after the other."""

    def __init__(self) -> None:
        self._all: list[Companion] = []

    def add(self, companion: Companion) -> None:
        self._all.append(companion)

    async def bind(self, session: AsyncSession, devbox: Devbox, mounts: Sequence[Mount] | None) -> None:
        for companion in self._all:
            await companion.bind(session, devbox, mounts)

    async def entered(self, session: AsyncSession, devbox: Devbox, was: str) -> None:
        for companion in self._all:
            await companion.entered(session, devbox, was)

    def run(self, devbox: Devbox) -> None:
        for companion in self._all:
            companion.run(devbox)

    async def rest(self, devbox: Devbox, seconds: float) -> None:
        for companion in self._all:
            await companion.rest(devbox, seconds)

    async def suspended(self, devbox: Devbox) -> None:
        for companion in self._all:
            await companion.suspended(devbox)
