"""Files in a devbox, as its user sees them."""

from collections.abc import AsyncIterable, AsyncIterator

from loopyard.devbox.faults import faults_as_answers
from loopyard.devbox.files.listing import Listing, list_folder
from loopyard.devbox.log.events import Events
from loopyard.devbox.repository import DevboxRepository
from loopyard.devbox.service import DevboxService
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import Database
from loopyard.runtime.protocol import Runtime


class DevboxFiles:
    """Reads and writes. It opens transactions of its own, since a large file outlasts a transaction."""

    def __init__(self, database: Database, runtime: Runtime, devboxes: DevboxService, events: Events) -> None:
        self._database = database
        self._runtime = runtime
        self._devboxes = devboxes
        self._events = events

    async def read(self, account_id: str, devbox_id: str, path: str, *, field: str) -> AsyncIterator[bytes]:
        """A file's bytes. `field` is what the request calls the path.

        Raises:
            NotFound: No such devbox of the account, or no such file in it.
            Forbidden: The devbox's user may not read it.
            BadRequest: It is not a file.
            Busy, WrongState: The devbox is not running.
        """
        await self._use(account_id, devbox_id)
        chunks = self._runtime.read_file(devbox_id, path)
        with faults_as_answers(field):
            first = await anext(chunks, b"")
        self._events.note(devbox_id, "files", f"{path} was read.")
        return _joined(first, chunks)

    async def write(
        self, account_id: str, devbox_id: str, path: str, content: AsyncIterable[bytes], *, field: str
    ) -> None:
        """Replace a file's content. `field` is what the request calls the path.

        Raises:
            NotFound: No such devbox of the account.
            Forbidden: The devbox's user may not write it.
            BadRequest: It is not a file, or the devbox's disk is full.
            Busy, WrongState: The devbox is not running.
        """
        await self._use(account_id, devbox_id)
        with faults_as_answers(field):
            await self._runtime.write_file(devbox_id, path, content)
        self._events.note(devbox_id, "files", f"{path} was written.")

    async def folder(self, account_id: str, devbox_id: str, path: str) -> Listing:
        """Content of a folder.

        Raises:
            NotFound: No such devbox of the account, or no such folder in it.
            Forbidden: The devbox's user may not read it.
            BadRequest: It is no folder.
            Busy, WrongState: The devbox is not running.
        """
        await self._use(account_id, devbox_id)
        return await list_folder(self._runtime, devbox_id, path)

    async def _use(self, account_id: str, devbox_id: str) -> None:
        async with self._database.read() as session:
            devbox = await self._devboxes.get_running(session, account_id, devbox_id)
        if devbox.idle_after_ms is not None:
            async with self._database.write() as session:
                await DevboxRepository(session).touch(devbox_id, now_ms())


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk
