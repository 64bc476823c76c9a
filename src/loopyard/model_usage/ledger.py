"""Keeps account of calls of models, in the server's process."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from loopyard.devbox.log.events import Events
from loopyard.gateway.observation import Call, Refusal
from loopyard.kit.db.database import Database
from loopyard.model_usage.account import MOST_AT_ONCE, Account
from loopyard.model_usage.metering.apis import Api, api_of, is_array, socket_api_of
from loopyard.model_usage.metering.meter import Outcome
from loopyard.model_usage.refusals import refusal
from loopyard.model_usage.repository import ModelUsageRepository, UsageKey
from loopyard.model_usage.sums import NOTHING, CallReport, Sums

log = logging.getLogger("loopyard.model_usage")

PAUSE_SECONDS = 0.1
"""Between two transactions: what ends meanwhile is written down together."""

SETTLE_SECONDS = 5.0
"""A report comes some time after the end of its call; the first ones wait for the list of prices."""

_NO_SOCKETS = "While a budget holds, models are called by requests, where tokens are counted, not over a WebSocket."

MOST_ACCOUNTS = 10_000
"""Devboxes that are held in memory; those that have been still the longest are read anew when they call again."""


class Ledger:
    """Decides whether calls may be made, and writes down what they have used.

    A call is written down while it goes on, so that the next start counts those that a crash has cut off. Writing is
    done by one task for all calls: nobody waits for it but reports. So a crash loses the calls that began less than
    `PAUSE_SECONDS` and a commit before it.
    """

    def __init__(self, database: Database, events: Events) -> None:
        self._database = database
        self._events = events
        self._accounts: dict[str, Account] = {}
        self._reading: dict[str, asyncio.Task[Account]] = {}
        self._writing = _UsageWrites()
        self._wake = asyncio.Event()

    async def reconcile(self) -> None:
        """Count calls that went on when the server ended as cut off. Call it before any call is made."""
        async with self._database.write() as session:
            count = await ModelUsageRepository(session).cut_off_all()
        if count:
            log.warning("%d calls of models were cut off by the end of the server", count)

    async def check(self, call: Call) -> Refusal | None:
        """Decide whether a call may be made; None lets it pass. A call of a model that passes is to be reported."""
        api = api_of(call.method, call.path)
        socket_api = socket_api_of(call.method, call.path)
        if api is None and socket_api is None:
            return None
        account = await self._account(call.devbox_id)
        if api is None:
            if socket_api is None or not account.wishes.has_budget:
                return None
            told = (
                "While a budget holds, models are called by requests, not over a WebSocket: tokens are counted there."
            )
            return refusal(socket_api, told, status=426)
        array = api == Api.GEMINI and is_array(call.path)
        if (reason := account.why_not()) is not None:
            self._tell_refused(call.devbox_id, account, reason)
            return refusal(api, reason, array=array)
        if account.is_crowded:
            told = f"While a budget holds, a run may make {MOST_AT_ONCE} calls at once; try again when one has ended."
            return refusal(api, told, again=True, array=array)
        account.going_on[call.id] = call
        account.idle.clear()
        self._writing.begin(call, api)
        self._wake.set()
        return None

    async def record(self, call: Call, report: Mapping[str, Any]) -> None:
        """Write down what a call has used; committed when it returns. A call counts once, whatever is reported."""
        api = api_of(call.method, call.path)
        account = await self._account(call.devbox_id)
        if api is None or call.id not in account.going_on:
            log.warning("a report of call %s of devbox %s is of no call that goes on", call.id, call.devbox_id)
            return
        del account.going_on[call.id]
        if not account.going_on:
            account.idle.set()
        try:
            read = CallReport.model_validate(report)
        except ValidationError as error:
            log.warning("a report of call %s cannot be read: %s", call.id, error)
            read = CallReport(outcome=Outcome.UNTOLD, reason="its report cannot be read")
        sums = read.sums
        account.sums += sums
        model = account.name_of(_storable(read.model))
        done = self._writing.end(call.id, UsageKey(call.devbox_id, api.value, call.host[:255], model), sums)
        self._wake.set()
        await asyncio.shield(done)

    async def proxy_ended(self) -> None:
        """Count all calls that go on as cut off: no report of them will come."""
        lost = [call for account in self._accounts.values() for call in account.going_on.values()]
        report = CallReport(outcome=Outcome.CUT_OFF).model_dump(mode="json")
        await asyncio.gather(*(self.record(call, report) for call in lost))

    async def records(self, devbox_id: str) -> bool | None:
        """True if a devbox's calls are to be recorded; None leaves it to the server's setting."""
        return (await self._account(devbox_id)).wishes.record

    async def settle(self, devbox_ids: Iterable[str]) -> None:
        """Wait until no call of these devboxes, which are ending or over, goes on: what they used is known then. At
        most for `SETTLE_SECONDS`."""
        accounts = [account for devbox_id in devbox_ids if (account := self._accounts.get(devbox_id)) is not None]
        waiting = [account.idle.wait() for account in accounts if account.going_on]
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_SECONDS):
                await asyncio.gather(*waiting)
        await self.flush()

    async def flush(self) -> None:
        """Return when all that has begun and was reported until now is written down."""
        await self._writing.settled()

    async def run(self) -> None:
        """Write down, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.write()
            await asyncio.sleep(PAUSE_SECONDS)

    async def write(self) -> None:
        """Write down what is waiting."""
        batch = self._writing.take()
        if batch.is_empty:
            return
        try:
            async with self._database.write() as session:
                await ModelUsageRepository(session).begin(list(batch.begun.values()))
                await ModelUsageRepository(session).end(batch.ended)
                await ModelUsageRepository(session).add(batch.sums)
                await ModelUsageRepository(session).mark_refused(batch.refused)
        except Exception:
            log.exception("what calls of models have used could not be written down; trying again")
            self._writing.put_back(batch)
            self._wake.set()
            return
        for done in batch.waiting:
            if not done.done():
                done.set_result(None)

    def _tell_refused(self, devbox_id: str, account: Account, reason: str) -> None:
        """Say in the devbox's log that the budget is spent, once."""
        if account.refused:
            return
        account.refused = True
        self._events.note(
            devbox_id, "stats", f"{reason} Its calls of models are refused.", level="warning", once="budget"
        )
        self._writing.refuse(devbox_id)
        self._wake.set()

    async def _account(self, devbox_id: str) -> Account:
        if (account := self._accounts.pop(devbox_id, None)) is not None:
            self._accounts[devbox_id] = account  # used last
            return account
        task = self._reading.get(devbox_id)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._read(devbox_id))
            self._reading[devbox_id] = task
            task.add_done_callback(lambda _: self._reading.pop(devbox_id, None))
        return await asyncio.shield(task)

    async def _read(self, devbox_id: str) -> Account:
        await self._writing.settled_of(devbox_id)
        async with self._database.read() as session:
            wishes, refused = await ModelUsageRepository(session).wishes(devbox_id)
            kept = (await ModelUsageRepository(session).sums_of_devboxes([devbox_id])).get(devbox_id, [])
        sums = NOTHING
        for _, one in kept:
            sums += one
        account = Account(wishes, sums, refused, {key.model for key, _ in kept})
        self._accounts[devbox_id] = account
        self._forget_oldest()
        return account

    def _forget_oldest(self) -> None:
        if len(self._accounts) <= MOST_ACCOUNTS:
            return
        for devbox_id, account in self._accounts.items():
            if not account.going_on:
                del self._accounts[devbox_id]
                return


class _Batch:
    """Rows written in one transaction."""

    def __init__(self) -> None:
        self.begun: dict[str, dict[str, Any]] = {}
        self.ended: list[str] = []
        self.sums: dict[UsageKey, Sums] = {}
        self.refused: set[str] = set()
        self.waiting: list[asyncio.Future[None]] = []

    @property
    def is_empty(self) -> bool:
        return not (self.begun or self.ended or self.sums or self.refused)


class _UsageWrites:
    """Rows to be written next, and rows being written now."""

    def __init__(self) -> None:
        self._next = _Batch()
        self._now: _Batch | None = None

    def begin(self, call: Call, api: Api) -> None:
        self._next.begun[call.id] = {
            "id": call.id,
            "devbox_id": call.devbox_id,
            "api": api.value,
            "host": call.host[:255],
            "start_time_ms": call.started_ms,
        }

    def end(self, call_id: str, key: UsageKey, sums: Sums) -> asyncio.Future[None]:
        if self._next.begun.pop(call_id, None) is None:
            self._next.ended.append(call_id)
        self._next.sums[key] = self._next.sums.get(key, NOTHING) + sums
        return self._wait()

    def refuse(self, devbox_id: str) -> None:
        self._next.refused.add(devbox_id)

    def _wait(self) -> asyncio.Future[None]:
        done = asyncio.get_running_loop().create_future()
        self._next.waiting.append(done)
        return done

    def take(self) -> _Batch:
        self._now, self._next = self._next, _Batch()
        return self._now

    def put_back(self, batch: _Batch) -> None:
        """Have a batch that could not be written in the next one."""
        later, self._next, self._now = self._next, batch, None
        for call_id in later.ended:
            if self._next.begun.pop(call_id, None) is None:
                self._next.ended.append(call_id)
        self._next.begun |= later.begun
        for key, sums in later.sums.items():
            self._next.sums[key] = self._next.sums.get(key, NOTHING) + sums
        self._next.refused |= later.refused
        self._next.waiting += later.waiting

    async def settled(self) -> None:
        """Wait until all that is there now is written."""
        if not self._next.is_empty:
            await asyncio.shield(self._wait())
        elif self._now is not None and self._now.waiting:
            await asyncio.wait(self._now.waiting)

    async def settled_of(self, devbox_id: str) -> None:
        """Wait until what a devbox has used is written."""
        batches = [self._next, *([self._now] if self._now is not None else [])]
        if any(key.devbox_id == devbox_id for batch in batches for key in batch.sums):
            await self.settled()


def _storable(text: str) -> str:
    return text.replace("\x00", "")
