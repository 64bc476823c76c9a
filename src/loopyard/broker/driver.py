"""Drives the agent of one devbox while that runs: hears the axon, starts the process, and carries both ways."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import cast

from loopyard.axon.event.publisher import Publisher
from loopyard.axon.event.schemas import MAX_PAYLOAD_BYTES
from loopyard.broker import repository
from loopyard.broker.conversation import AxonGone, Conversation
from loopyard.broker.lines import Lines, Oversized
from loopyard.broker.models import Broker
from loopyard.broker.process import AgentProcess
from loopyard.broker.protocol.base import SHOWN_CHARACTERS
from loopyard.broker.repository import BrokerRepository
from loopyard.devbox.execution.engine import ExecutionEngine
from loopyard.devbox.models import Devbox
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import Database
from loopyard.kit.errors import LoopyardError, WrongState
from loopyard.kit.host.failpoint import failpoint
from loopyard.runtime.errors import CommandNotFound, RuntimeFault
from loopyard.runtime.protocol import MOST_OUTPUT_BYTES, CommandResult, Runtime

log = logging.getLogger("loopyard.broker")

MAX_FRAME_BYTES = MAX_PAYLOAD_BYTES
"""Limit on a frame of an agent: what an event can hold, 4 MiB."""

_LOOK_SECONDS = 5.0
"""How often the axon is looked at, should another process on the same database have published."""
_TICK_SECONDS = 1.0
_AGAIN_SECONDS = 1.0
_LOG_BYTES = 64 * 1024
"""Limit on the standard error in one event."""
_LOGGED_BYTES = 4 * 1024**2
"""Limit on the standard error of one process that is published, 4 MiB; it is in the devbox's logs."""
_NOT_FOUND = 127
_NOT_EXECUTABLE = 126


class Driver:
    """The driver of one devbox, from one start of it to the next end or suspension."""

    def __init__(
        self,
        database: Database,
        runtime: Runtime,
        executions: ExecutionEngine,
        publisher: Publisher,
        devbox: Devbox,
        used: Callable[[Devbox], None],
    ) -> None:
        self._database = database
        self._runtime = runtime
        self._executions = executions
        self._publisher = publisher
        self._devbox = devbox
        self._used = used
        self._news = asyncio.Event()
        self._is_resting = False
        self._conversation: Conversation | None = None
        self._row: Broker | None = None
        self._process: AgentProcess | None = None
        self._group: asyncio.TaskGroup | None = None
        self._task: asyncio.Task[None] | None = None
        self._has_loaded = asyncio.Event()
        self._has_stopped = asyncio.Event()
        self._is_to_stop = False
        self._launch = asyncio.Lock()
        self._said = ""
        """The end of what the process wrote to standard error."""

    def hear(self) -> None:
        """Look at the axon: there is news."""
        self._news.set()

    async def run(self) -> None:
        """Drive until stopped, or until the axon is gone."""
        self._task = asyncio.current_task()
        try:
            while not self._is_to_stop:
                try:
                    await self._drive()
                except Exception as error:
                    if _is_or_holds(error, AxonGone):
                        log.info("devbox %s: its axon is gone, so its agent is ended", self._devbox.id)
                        await self._kill()
                        return
                    if _is_or_holds(error, WrongState):
                        return  # the devbox runs no more
                    log.exception("devbox %s: driving its agent failed; trying again", self._devbox.id)
                await asyncio.sleep(_AGAIN_SECONDS)
        finally:
            self._has_loaded.set()
            self._has_stopped.set()

    async def stop(self) -> None:
        """Stop driving. The process goes on."""
        self._is_to_stop = True
        if self._task is not None:
            self._task.cancel()
        await self._has_stopped.wait()

    async def rest(self, seconds: float) -> None:
        """Let the turn that the agent is in end, within this time, and begin no other; then stop driving."""
        self._is_resting = True
        if self._conversation is not None:
            self._conversation.protocol.may_begin_turns = False
        try:
            async with asyncio.timeout(seconds):
                await self._has_loaded.wait()
                if self._conversation is not None:
                    await self._conversation.between_turns.wait()
        except TimeoutError:
            log.warning("devbox %s: the agent's turn is abandoned, it took too long", self._devbox.id)
        await self.stop()
        async with self._database.read() as session:
            row = await BrokerRepository(session).get_by_devbox(self._devbox.id)
        if row is not None:
            with contextlib.suppress(AxonGone):
                conversation = Conversation(self._database, self._publisher, row)
                conversation.protocol.may_begin_turns = False
                await conversation.step(lambda: self._end(conversation, "The devbox was suspended."))

    def _end(self, conversation: Conversation, reason: str) -> None:
        conversation.progress.alive = False
        conversation.protocol.end_process(reason)

    async def _drive(self) -> None:
        async with self._database.read() as session:
            row = await BrokerRepository(session).get_by_devbox(self._devbox.id)
        if row is None:
            raise AxonGone
        self._row = row
        self._conversation = conversation = Conversation(self._database, self._publisher, row)
        conversation.protocol.may_begin_turns = not self._is_resting
        self._process = None
        self._has_loaded.set()
        async with asyncio.TaskGroup() as self._group:
            if row.process == 0 or row.start != self._devbox.starts or row.alive:
                await self._ensure_process(conversation)
            self._group.create_task(self._listen(conversation))
            self._group.create_task(self._deliver(conversation))
            self._group.create_task(self._tick(conversation))

    async def _ensure_process(self, conversation: Conversation) -> None:
        """Have a process run: take up the one that does, or start another."""
        assert self._row is not None and self._group is not None  # noqa: S101, PT018
        async with self._launch:
            progress = conversation.progress
            if self._process is not None and progress.alive:
                return
            if not progress.alive or progress.start != self._devbox.starts:

                def begin() -> None:
                    progress.begin_process(self._devbox.starts)
                    conversation.protocol.begin_process()

                await conversation.step(begin, new_process=True)
                failpoint("broker.launching")
            self._said = ""
            process = AgentProcess(self._runtime, self._executions, self._devbox.id, progress.process)
            arguments = conversation.protocol.arguments(self._row.agent_binary, self._row.launch_args)
            try:
                await process.start(arguments, self._row.working_directory)
            except WrongState:
                raise
            except LoopyardError as error:
                message = error.message
                await conversation.step(lambda: self._fail(conversation, f"The agent was not started: {message}"))
                return
            self._process = process
            conversation.frames_waiting.set()
            self._group.create_task(self._follow(conversation, process))

    def _fail(self, conversation: Conversation, message: str) -> None:
        self._end(conversation, message)
        conversation.protocol.publish_system("broker.error", {"message": message})

    async def _listen(self, conversation: Conversation) -> None:
        """Take in the axon's events, for ever."""
        while True:
            self._news.clear()
            found = await conversation.next_events()
            if not any(event.origin in repository.HEARD for event in found):
                if found:
                    conversation.progress.cursor = found[-1].sequence
                    continue
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self._news.wait()
                continue
            if not self._is_resting:
                await self._ensure_process(conversation)
            await conversation.step(lambda found=found: conversation.take(found))
            self._used(self._devbox)

    async def _deliver(self, conversation: Conversation) -> None:
        """Hand frames to the process, for ever."""
        failures = 0
        while True:
            await conversation.frames_waiting.wait()
            conversation.frames_waiting.clear()
            async with conversation.lock:
                process, number = self._process, conversation.progress.process
                async with self._database.read() as session:
                    frames = await BrokerRepository(session).list_frames(self._devbox.id)
            if process is None or not frames:
                continue
            try:
                for frame in frames:
                    await process.deliver(frame.number, frame.frame)
                failpoint("broker.delivered")
                await process.wake()
            except CommandNotFound:
                continue  # it has ended, which is told by whoever follows it
            except RuntimeFault as fault:
                log.warning("devbox %s: a frame could not be delivered, trying again: %s", self._devbox.id, fault)
                if not failures:
                    message = f"What the agent is to be told cannot be written into the devbox: {fault}"
                    await conversation.step(
                        lambda message=message: conversation.protocol.tell_fault("delivery", message)
                    )
                failures += 1
                await asyncio.sleep(_AGAIN_SECONDS)
                conversation.frames_waiting.set()
                continue
            failures = 0
            failpoint("broker.woken")
            async with conversation.lock:
                if conversation.progress.process == number:
                    async with self._database.write() as session:
                        await BrokerRepository(session).delete_frames(self._devbox.id, frames[-1].number)

    async def _tick(self, conversation: Conversation) -> None:
        """Answer what no client answers, and keep the devbox from idling in a turn."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            state = conversation.protocol.state
            if state.turn is not None:
                self._used(self._devbox)
            now = now_ms()
            if any(question.due_ms <= now for question in state.questions):
                await conversation.step(lambda now=now: conversation.protocol.answer_overdue(now))

    async def _follow(self, conversation: Conversation, process: AgentProcess) -> None:
        """Publish what a process writes, until it has ended, and then that."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read_errors(conversation, process))
            group.create_task(self._read_frames(conversation, process))
        result = await process.wait()
        failpoint("broker.exited")
        await conversation.step(lambda: self._tell_end(conversation, result))

    def _tell_end(self, conversation: Conversation, result: CommandResult) -> None:
        said = f"\n{self._said.strip()}" if self._said.strip() else ""
        reason = f"The agent exited with {result.exit_status}.{said}"
        self._end(conversation, reason)
        if result.exit_status in (_NOT_FOUND, _NOT_EXECUTABLE):
            reason = f"The agent could not be run.{said}"
            conversation.protocol.publish_system("broker.error", {"message": reason})
        else:
            conversation.protocol.tell_fault("exited", reason)

    async def _read_frames(self, conversation: Conversation, process: AgentProcess) -> None:
        progress, protocol = conversation.progress, conversation.protocol
        lines = Lines(MAX_FRAME_BYTES, skipping=protocol.state.skipping)
        while (data := await process.read("stdout", progress.stdout_offset + lines.held)) is not None:
            found, done = lines.feed(data)
            if done:
                await conversation.step(lambda found=found, done=done: self._take(conversation, lines, found, done))
                self._used(self._devbox)
            if progress.stdout_offset + lines.held >= MOST_OUTPUT_BYTES:
                await process.kill()
        if rest := lines.rest():
            await conversation.step(lambda: self._take(conversation, lines, [rest], len(rest)))

    def _take(self, conversation: Conversation, lines: Lines, found: list[bytes | Oversized], done: int) -> None:
        conversation.progress.stdout_offset += done
        conversation.protocol.state.skipping = lines.skipping
        for line in found:
            if isinstance(line, Oversized):
                conversation.protocol.take_oversized(line.head, MAX_FRAME_BYTES)
            else:
                conversation.protocol.take_line(line)

    async def _read_errors(self, conversation: Conversation, process: AgentProcess) -> None:
        progress = conversation.progress
        while (data := await process.read("stderr", progress.stderr_offset)) is not None:
            data = data[:_LOG_BYTES]
            data = data[: data.rfind(b"\n") + 1] or data
            text = data.decode(errors="replace").replace("\x00", "")
            self._said = (self._said + text)[-SHOWN_CHARACTERS:]

            if progress.stderr_offset >= _LOGGED_BYTES:
                progress.stderr_offset += len(data)
                continue
            if progress.stderr_offset + len(data) >= _LOGGED_BYTES:
                text += "[what comes after this is not published]"

            def tell(size: int = len(data), text: str = text) -> None:
                progress.stderr_offset += size
                payload = {"log_type": "stderr", "message": text.rstrip("\n")}
                conversation.protocol.publish_system("agent.log", payload)

            await conversation.step(tell)

    async def _kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(LoopyardError, RuntimeFault):
                await self._process.kill()


def _is_or_holds(error: BaseException, kind: type[Exception]) -> bool:
    """True if an error is of a kind, or a group that holds one of it."""
    if isinstance(error, BaseExceptionGroup):
        held = cast("BaseExceptionGroup[BaseException]", error).exceptions
        return any(_is_or_holds(one, kind) for one in held)
    return isinstance(error, kind)
