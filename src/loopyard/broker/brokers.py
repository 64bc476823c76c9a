"""The brokers of a server: bound to axons with their devboxes, run and laid to rest with them."""

import itertools
import logging
from collections.abc import Awaitable, Callable, Sequence

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.axon.event.event import Event, NewEvent
from loopyard.axon.event.origins import Origin
from loopyard.axon.event.publisher import Publisher
from loopyard.axon.repository import AxonRepository
from loopyard.broker import repository
from loopyard.broker.conversation import SOURCE
from loopyard.broker.driver import Driver
from loopyard.broker.models import Broker
from loopyard.broker.protocol.registry import DEFAULT
from loopyard.broker.protocol.state import State
from loopyard.broker.repository import BrokerRepository
from loopyard.devbox.execution.engine import ExecutionEngine
from loopyard.devbox.lifecycle.states import FINAL, Status
from loopyard.devbox.models import Devbox
from loopyard.devbox.repository import DevboxRepository
from loopyard.kit.background.tasks import Tasks
from loopyard.kit.db.database import Database, after_commit
from loopyard.kit.errors import BadRequest
from loopyard.launch.mounts import BrokerMount, Mount
from loopyard.launch.parameters import LaunchParameters
from loopyard.runtime.protocol import Runtime
from loopyard.runtime.user_paths import absolute

log = logging.getLogger("loopyard.broker")

_EVENTS = {
    Status.RUNNING: "devbox.running",
    Status.SUSPENDED: "devbox.suspended",
    Status.SHUTDOWN: "devbox.shutdown",
    Status.FAILURE: "devbox.failed",
}

Wake = Callable[[Devbox], Awaitable[None]]
"""Resumes a devbox if it is suspended."""


class Brokers:
    """A companion of devboxes: see `loopyard.devbox.lifecycle.companions`."""

    def __init__(
        self,
        database: Database,
        runtime: Runtime,
        executions: ExecutionEngine,
        publisher: Publisher,
        tasks: Tasks,
        wake: Wake,
        used: Callable[[Devbox], None],
    ) -> None:
        self._database = database
        self._runtime = runtime
        self._executions = executions
        self._publisher = publisher
        self._tasks = tasks
        self._wake = wake
        self._used = used
        self._drivers: dict[str, Driver] = {}
        self._of_axon: dict[str, dict[str, bool]] = {}
        """By axon: its brokers' devboxes, and whether its events resume them."""
        self._numbers = itertools.count()
        publisher.add_listener(self._published)

    async def bind(self, session: AsyncSession, devbox: Devbox, mounts: Sequence[Mount] | None) -> None:
        """Bind a new devbox to the axon that a broker mount of its names.

        Raises:
            BadRequest: There is more than one such mount, or the account has no such axon.
        """
        found = [(index, mount) for index, mount in enumerate(mounts or ()) if isinstance(mount, BrokerMount)]
        if not found:
            return
        index, mount = found[0]
        if len(found) > 1:
            field = f"mounts.{found[1][0]}.type"
            raise BadRequest(f"{field}: a devbox may have one broker_mount.", field=field)
        axon = await AxonRepository(session).get_owned(mount.axon_id, devbox.account_id)
        if axon is None:
            field = f"mounts.{index}.axon_id"
            raise BadRequest(f"{field}: there is no axon {mount.axon_id}.", field=field)
        launch = LaunchParameters.model_validate(devbox.launch_parameters)
        triggers = launch.lifecycle.resume_triggers if launch.lifecycle else None
        wakes = bool(triggers and triggers.axon_event)
        row = Broker(
            devbox_id=devbox.id,
            account_id=devbox.account_id,
            axon_id=axon.id,
            protocol=mount.protocol or DEFAULT,
            agent_binary=mount.agent_binary,
            launch_args=mount.launch_args,
            working_directory=absolute(mount.working_directory or "~", launch.user),
            wakes=wakes,
            cursor=axon.last_sequence,
            process=0,
            start=0,
            alive=False,
            stdout_offset=0,
            stderr_offset=0,
            next_frame=1,
            state=State().dump(),
        )
        await BrokerRepository(session).create(row)
        devbox.has_broker = True
        after_commit(session, lambda: self._note(axon.id, devbox.id, wakes=wakes))

    def _note(self, axon_id: str, devbox_id: str, *, wakes: bool) -> None:
        self._of_axon.setdefault(axon_id, {})[devbox_id] = wakes

    async def entered(self, session: AsyncSession, devbox: Devbox, was: str) -> None:
        """Publish that a devbox has come to run, or was suspended, in the transaction in which it does."""
        if devbox.has_broker and devbox.status in _EVENTS:
            name = "devbox.resumed" if was == Status.RESUMING else _EVENTS[devbox.status]
            await self._publish(session, devbox.id, name)

    async def ended(self, session: AsyncSession, devbox: Devbox) -> None:
        """Publish that a devbox has ended, in the transaction in which it does."""
        if devbox.has_broker:
            reason = None
            if devbox.status == Status.FAILURE:
                last = devbox.state_transitions[-1]
                reason = f"{devbox.failure_reason}: {last.get('failure_reason', '')}"[:4000]
            await self._publish(session, devbox.id, _EVENTS[devbox.status], reason)
            await BrokerRepository(session).delete_frames(devbox.id)
            after_commit(session, lambda: self._forget(devbox.id))

    async def _publish(self, session: AsyncSession, devbox_id: str, event_type: str, reason: str | None = None) -> None:
        row = await BrokerRepository(session).get_by_devbox(devbox_id)
        if row is None:
            return
        fields = {"devbox_id": devbox_id} if reason is None else {"devbox_id": devbox_id, "reason": reason}
        payload = orjson.dumps(fields).decode()
        event = NewEvent(event_type, Origin.SYSTEM_EVENT, SOURCE, payload, len(payload.encode()))
        await self._publisher.append(session, row.axon_id, [event])

    def _forget(self, devbox_id: str) -> None:
        for bound in self._of_axon.values():
            bound.pop(devbox_id, None)
        self._of_axon = {axon_id: bound for axon_id, bound in self._of_axon.items() if bound}
        if (driver := self._drivers.pop(devbox_id, None)) is not None:
            self._tasks.start(f"broker end {devbox_id}", driver.stop())

    def run(self, devbox: Devbox) -> None:
        """Drive the agent of a devbox that runs, in the background."""
        if devbox.has_broker and devbox.id not in self._drivers:
            driver = Driver(self._database, self._runtime, self._executions, self._publisher, devbox, self._used)
            self._drivers[devbox.id] = driver
            self._tasks.start(f"broker {devbox.id} {next(self._numbers)}", driver.run())

    async def rest(self, devbox: Devbox, seconds: float) -> None:
        """Let the agent's turn end before the devbox is suspended, within this time."""
        if not devbox.has_broker:
            return
        self.run(devbox)  # a server that was started meanwhile has not taken it up
        if (driver := self._drivers.pop(devbox.id, None)) is not None:
            await driver.rest(seconds)

    async def suspended(self, devbox: Devbox) -> None:
        """Resume a devbox again if an event came while it was being suspended."""
        if devbox.has_broker and await self._has_news(devbox):
            await self._wake(devbox)

    async def _has_news(self, devbox: Devbox) -> bool:
        since = [one["transition_time_ms"] for one in devbox.state_transitions if one["status"] == Status.SUSPENDING]
        async with self._database.read() as session:
            row = await BrokerRepository(session).get_by_devbox(devbox.id)
            if row is None or not row.wakes or not since:
                return False
            return await BrokerRepository(session).has_input_since(row.axon_id, row.cursor, since[-1])

    async def reconcile(self) -> None:
        """At start: know all brokers again, and resume the devboxes that were to be."""
        async with self._database.read() as session:
            wakers = set(await BrokerRepository(session).wakers())
            for axon_id, devbox_id in await BrokerRepository(session).axons_with_brokers():
                self._note(axon_id, devbox_id, wakes=(axon_id, devbox_id) in wakers)
        for _, devbox_id in wakers:
            async with self._database.read() as session:
                devbox = await DevboxRepository(session).get_by_id(devbox_id)
            if devbox is not None and devbox.status == Status.SUSPENDED:
                await self.suspended(devbox)

    def _published(self, events: Sequence[Event]) -> None:
        bound = self._of_axon.get(events[0].axon_id)
        if not bound:
            return
        heard = any(event.origin in repository.HEARD for event in events)
        for devbox_id, wakes in bound.items():
            if (driver := self._drivers.get(devbox_id)) is not None:
                driver.hear()
            elif wakes and heard:
                # Numbered: one that has looked already must not stand for one that is to look now.
                self._tasks.start(f"broker wake {devbox_id} {next(self._numbers)}", self._wake_up(devbox_id))

    async def _wake_up(self, devbox_id: str) -> None:
        async with self._database.read() as session:
            devbox = await DevboxRepository(session).get_by_id(devbox_id)
        if devbox is not None and devbox.status not in FINAL:
            await self._wake(devbox)
