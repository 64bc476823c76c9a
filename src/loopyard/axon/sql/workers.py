"""Workers of axons whose databases are in use: one process for each, at most so many, ended when idle."""

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from loopyard.axon.sql.forkserver import ForkServer, ForkServerGone
from loopyard.axon.sql.worker import frames, limits
from loopyard.kit.background.periodic import Periodic
from loopyard.kit.errors import BadRequest, Busy, Unavailable
from loopyard.kit.http.in_flight import waiting

MOST_AT_WORK = 4
"""Calls that run at once."""

MOST_WORKERS = 16
"""Worker processes that live at once."""

IDLE_SECONDS = 30.0
"""Time after its last call that a worker is kept."""

WAIT_SECONDS = 30.0
"""Time that a call waits for its turn; then it is answered 409, and may be repeated."""

_NOBODY = 65534

Answerer = Callable[[dict[str, object]], Awaitable[object]]
"""Answers what a worker asks about events."""


@dataclass(eq=False, slots=True)
class _Worker:
    pid: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used_at: float
    at_work: bool = False


class KeyTaken(Exception):
    """The key of a call was kept with another call, which changed something."""


class SqlWorkers:
    """The worker processes of one server. Calls on one axon run one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._forkserver = ForkServer()
        self._workers: dict[str, _Worker] = {}
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}
        self._slots = asyncio.Semaphore(MOST_AT_WORK)

    @asynccontextmanager
    async def turn(self, axon_id: str) -> AsyncGenerator[None]:
        """Have the axon's database to oneself in the block.

        Raises:
            Busy: It took too long to get a turn.
        """
        lock, users = self._turns.get(axon_id, (asyncio.Lock(), 0))
        self._turns[axon_id] = (lock, users + 1)
        try:
            try:
                with waiting():
                    async with asyncio.timeout(WAIT_SECONDS):
                        await lock.acquire()
            except TimeoutError:
                raise Busy(f"The database of axon {axon_id} is in use; try again.") from None
            try:
                yield
            finally:
                lock.release()
        finally:
            lock, users = self._turns[axon_id]
            if users == 1:
                del self._turns[axon_id]
            else:
                self._turns[axon_id] = (lock, users - 1)

    async def call(self, axon_id: str, call: bytes, answer: Answerer) -> bytes:
        """Have a worker carry out a call, within a turn. Returns the body of the answer.

        Raises:
            BadRequest: The statement failed, was refused, or took more than its limits.
            KeyTaken: The call's key was kept with another digest.
            Busy: All workers are in use for too long.
            Unavailable: No worker could be started.
        """
        try:
            with waiting():
                async with asyncio.timeout(WAIT_SECONDS):
                    await self._slots.acquire()
        except TimeoutError:
            raise Busy("Too many SQL statements are running; try again.") from None
        try:
            return await self._call(axon_id, call, answer)
        finally:
            self._slots.release()

    async def _call(self, axon_id: str, call: bytes, answer: Answerer) -> bytes:
        worker = await self._worker(axon_id)
        worker.at_work = True
        try:
            async with asyncio.timeout(limits.SECONDS + limits.GRACE_SECONDS):
                kind, body = await _converse(worker, call, answer)
        except TimeoutError:
            await self.end(axon_id)
            raise BadRequest(f"sql: The time limit of {limits.SECONDS:g} seconds was reached.", field="sql") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            await self.end(axon_id)
            message = "sql: The statement brought its worker process down; it has probably used too much memory."
            raise BadRequest(message, field="sql") from None
        except BaseException:
            await self.end(axon_id)
            raise
        worker.at_work = False
        worker.used_at = asyncio.get_running_loop().time()
        if kind == frames.KEY_TAKEN:
            raise KeyTaken
        if kind != frames.ANSWER:
            raise BadRequest(f"sql: {orjson.loads(body)['message']}", field="sql")
        return body

    async def _worker(self, axon_id: str) -> _Worker:
        if (worker := self._workers.get(axon_id)) is not None:
            return worker
        while len(self._workers) >= MOST_WORKERS:
            idle = [(one.used_at, other) for other, one in self._workers.items() if not one.at_work]
            await self.end(min(idle)[1])
        folder = self._prepare(axon_id)
        try:
            pid, connection = await self._forkserver.fork(folder)
        except (ForkServerGone, OSError) as error:
            self._workers.clear()
            raise Unavailable("The SQL workers could not be started; try again.") from error
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        worker = _Worker(pid, reader, writer, asyncio.get_running_loop().time())
        self._workers[axon_id] = worker
        return worker

    def _prepare(self, axon_id: str) -> Path:
        folder = self._folder / axon_id
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True)
        if os.geteuid() == 0:
            os.chown(folder, _NOBODY, _NOBODY)
        return folder

    async def end(self, axon_id: str) -> None:
        """End the axon's worker, if there is one."""
        if (worker := self._workers.pop(axon_id, None)) is not None:
            worker.writer.close()
            await self._forkserver.end(worker.pid)

    async def remove(self, axon_id: str) -> None:
        """Remove the axon's database."""
        async with self.turn(axon_id):
            await self.end(axon_id)
            await asyncio.to_thread(shutil.rmtree, self._folder / axon_id, ignore_errors=True)

    def stored(self) -> set[str]:
        """The axons that have a database."""
        return {path.name for path in self._folder.iterdir()} if self._folder.exists() else set()

    async def run(self) -> None:
        """End idle workers, for ever; at the end, all of them."""
        try:
            await Periodic("ending idle workers", self._end_idle, every=IDLE_SECONDS / 4, at_once=False).run()
        finally:
            self._workers.clear()
            await self._forkserver.close()

    async def _end_idle(self) -> None:
        now = asyncio.get_running_loop().time()
        for axon_id, worker in list(self._workers.items()):
            if not worker.at_work and now - worker.used_at > IDLE_SECONDS and axon_id not in self._turns:
                await self.end(axon_id)


async def _converse(worker: _Worker, call: bytes, answer: Answerer) -> tuple[bytes, bytes]:
    _write(worker.writer, frames.CALL, call)
    while True:
        await worker.writer.drain()
        kind, length = frames.HEADER.unpack(await worker.reader.readexactly(frames.HEADER.size))
        if length > frames.MOST_BYTES:
            raise ConnectionError("a message that is too long")
        body = await worker.reader.readexactly(length)
        if kind != frames.EVENTS_WANTED:
            return kind, body
        _write(worker.writer, frames.EVENTS, orjson.dumps(await answer(orjson.loads(body))))


def _write(writer: asyncio.StreamWriter, kind: bytes, body: bytes) -> None:
    writer.write(frames.HEADER.pack(kind, len(body)) + body)
