"""The ledger: what it lets pass, what it writes down, and what a crash leaves."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from loopyard.devbox.log.events import Events
from loopyard.devbox.log.repository import DevboxLogRepository
from loopyard.gateway.observation import Call
from loopyard.kit.db.database import Database
from loopyard.model_usage import service
from loopyard.model_usage.account import MOST_AT_ONCE, MOST_MODELS, MOST_UNCOUNTED, OTHER_MODELS, usd
from loopyard.model_usage.ledger import Ledger
from loopyard.model_usage.metering.meter import Outcome
from loopyard.model_usage.repository import ModelUsageRepository
from loopyard.model_usage.schemas import ModelUsageView
from loopyard.model_usage.sums import CallReport, TokenCounts
from loopyard.model_usage.wishes import Wishes

pytestmark = pytest.mark.anyio

BOX = "dbx_1"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write without pauses."""
    monkeypatch.setattr("loopyard.model_usage.ledger.PAUSE_SECONDS", 0)


def call(number: int | str = 1, *, path: str = "/v1/messages", method: str = "POST", devbox: str = BOX) -> Call:
    return Call(
        id=f"gwx_{number}",
        account_id="acc_1",
        devbox_id=devbox,
        scenario_run_id="scr_1",
        gateway_id="gwc_1",
        gateway_name="models",
        host="api.anthropic.com",
        method=method,
        path=path,
        started_ms=1,
        record=False,
    )


def report(
    outcome: Outcome = Outcome.COUNTED, *, model: str = "m", nano: int | None = 500, **tokens: int
) -> dict[str, Any]:
    counts = TokenCounts(**(tokens or {"input": 10, "output": 5}))
    return CallReport(outcome=outcome, tokens=counts, model=model, nano_usd=nano).model_dump(mode="json")


@asynccontextmanager
async def keeping(database: Database, wishes: Wishes | None = None) -> AsyncGenerator[Ledger]:
    """A ledger at work; `wishes` hold for `BOX`."""
    if wishes is not None:
        async with database.write() as session:
            await ModelUsageRepository(session).keep_wishes(BOX, wishes)
    ledger = Ledger(database, Events(database))
    await ledger.reconcile()
    task = asyncio.create_task(ledger.run())
    yield ledger
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def usage(database: Database, devbox: str = BOX) -> ModelUsageView:
    async with database.read() as session:
        return await service.of_devbox(session, devbox)


async def made(ledger: Ledger, number: int | str, **told: Any) -> None:
    """A call from its beginning to its report."""
    assert await ledger.check(call(number)) is None
    await ledger.record(call(number), report(**told))


async def test_calls_are_added_up_by_model(database: Database) -> None:
    async with keeping(database) as ledger:
        await asyncio.gather(*(made(ledger, number, model=f"m{number % 2}") for number in range(10)))
        await made(ledger, "odd", outcome=Outcome.UNTOLD, model="", nano=None, input=0)
    told = await usage(database)
    assert (told.calls, told.counted, told.untold, told.input_tokens, told.output_tokens) == (11, 10, 1, 100, 50)
    assert told.cost_usd == pytest.approx(5e-6)
    assert [(one.model, one.calls) for one in told.models] == [("m0", 5), ("m1", 5), (None, 1)]


async def test_a_call_counts_once(database: Database) -> None:
    async with keeping(database) as ledger:
        assert await ledger.check(call()) is None
        await asyncio.gather(*(ledger.record(call(), report()) for _ in range(3)))
        await ledger.record(call("never checked"), report())
    assert (await usage(database)).calls == 1


async def test_what_is_no_call_of_a_model_passes_and_is_not_counted(database: Database) -> None:
    async with keeping(database, Wishes(max_tokens=0)) as ledger:
        for method, path in (("GET", "/v1/models"), ("POST", "/v1/messages/count_tokens"), ("POST", "/v1/embeddings")):
            assert await ledger.check(call(method=method, path=path)) is None
    assert (await usage(database)).calls == 0


@pytest.mark.parametrize(
    ("wishes", "told"),
    [
        (Wishes(max_tokens=15), "15 of 15 tokens"),
        (Wishes(max_nano_usd=500), "$0.0000005 of $0.0000005"),
    ],
)
async def test_a_budget_that_is_spent_refuses(database: Database, wishes: Wishes, told: str) -> None:
    async with keeping(database, wishes) as ledger:
        await made(ledger, 1)
        refused = await ledger.check(call(2))
        assert refused is not None
        assert refused.status == 429
        assert told in json.loads(refused.body)["error"]["message"]
        assert await ledger.check(call(3, devbox="dbx_2")) is None
        await ledger.write()
    view = await usage(database)
    assert view.budget is not None
    assert view.budget.refused
    # A server that starts anew knows it still.
    async with keeping(database) as ledger:
        assert await ledger.check(call(4)) is not None


async def test_the_log_says_once_that_it_is_spent(database: Database) -> None:
    async with database.write() as session:
        await ModelUsageRepository(session).keep_wishes(BOX, Wishes(max_tokens=0))
    events = Events(database)
    for _ in range(2):
        ledger = Ledger(database, events)
        assert await ledger.check(call(1)) is not None
        assert await ledger.check(call(2)) is not None
    await events.flush()
    async with database.read() as session:
        (event,) = await DevboxLogRepository(session).list_newest_events(BOX, 10)
    assert (event.level, event.source) == ("warning", "stats")
    assert "0 of 0 tokens" in event.message


async def test_a_budget_of_dollars_cannot_be_kept_without_a_price(database: Database) -> None:
    async with keeping(database, Wishes(max_nano_usd=10**9)) as ledger:
        await made(ledger, 1, nano=None)
        refused = await ledger.check(call(2))
    assert refused is not None
    assert b"no known price" in refused.body


async def test_a_budget_cannot_be_passed_by_hanging_up(database: Database) -> None:
    async with keeping(database, Wishes(max_tokens=10**6)) as ledger:
        for number in range(MOST_UNCOUNTED):
            await made(ledger, number, outcome=Outcome.CUT_OFF)
        refused = await ledger.check(call("more"))
    assert refused is not None
    assert b"cut off" in refused.body


async def test_a_budget_lets_so_many_calls_go_on_at_once(database: Database) -> None:
    async with keeping(database, Wishes(max_tokens=10**6)) as ledger:
        for number in range(MOST_AT_ONCE):
            assert await ledger.check(call(number)) is None
        refused = await ledger.check(call("more"))
        assert refused is not None
        assert ("x-should-retry", "true") in refused.headers
        await ledger.record(call(0), report())
        assert await ledger.check(call("more")) is None


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/realtime?model=x", "/ws/google.ai.BidiGenerateContent"])
async def test_a_budget_refuses_websockets(database: Database, path: str) -> None:
    socket = call(path=path, method="GET")
    async with keeping(database, Wishes(max_tokens=10**6)) as ledger:
        refused = await ledger.check(socket)
        assert refused is not None
        assert refused.status == 426
        assert await ledger.check(replace(socket, devbox_id="dbx_2")) is None


async def test_what_goes_on_when_the_server_dies_is_cut_off(database: Database) -> None:
    async with keeping(database) as ledger:
        await made(ledger, 1)
        assert await ledger.check(call(2)) is None
        assert await ledger.check(call(3)) is None
        await ledger.write()
        await ledger.record(call(3), report())
    for _ in range(2):
        async with keeping(database):
            view = await usage(database)
            assert (view.calls, view.counted, view.cut_off) == (3, 2, 1)


async def test_what_goes_on_when_the_proxy_dies_is_cut_off(database: Database) -> None:
    async with keeping(database) as ledger:
        assert await ledger.check(call(1)) is None
        assert await ledger.check(call(2)) is None
        await ledger.proxy_ended()
        await ledger.record(call(1), report())  # comes too late
    assert (await usage(database)).cut_off == 2


async def test_models_without_end_are_counted_together(database: Database) -> None:
    async with keeping(database) as ledger:
        for number in range(MOST_MODELS + 5):
            await made(ledger, number, model=f"m{number}")
    view = await usage(database)
    assert view.calls == MOST_MODELS + 5
    assert len(view.models) == MOST_MODELS + 1
    assert {one.model: one.calls for one in view.models}[OTHER_MODELS] == 5


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"outcome": "great"},
        {**report(), "nano_usd": -1},
        {**report(), "tokens": {"input": 10**12}},
        {"model": "x" * 999},
    ],
)
async def test_a_report_that_cannot_be_is_of_a_call_that_told_nothing(database: Database, odd: dict[str, Any]) -> None:
    async with keeping(database) as ledger:
        assert await ledger.check(call()) is None
        await ledger.record(call(), odd)
    view = await usage(database)
    assert (view.calls, view.untold, view.input_tokens) == (1, 1, 0)


async def test_what_could_not_be_written_is_written_later(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    add = ModelUsageRepository.add
    faults = 3

    async def failing(*arguments: Any) -> None:
        nonlocal faults
        faults -= 1
        if faults >= 0:
            raise RuntimeError("the disk is full")
        await add(*arguments)

    async with keeping(database) as ledger:
        monkeypatch.setattr(ModelUsageRepository, "add", failing)
        await asyncio.gather(*(made(ledger, number) for number in range(5)))
        await ledger.flush()
    view = await usage(database)
    assert (view.calls, view.input_tokens) == (5, 50)


@pytest.mark.parametrize("record", [True, False, None])
async def test_who_is_recorded(database: Database, record: bool | None) -> None:
    async with keeping(database, Wishes(record=record)) as ledger:
        assert await ledger.records(BOX) is record
        assert await ledger.records("dbx_2") is None


async def test_what_a_devbox_used_is_waited_for(database: Database) -> None:
    async with keeping(database) as ledger:
        await ledger.settle([BOX, "dbx_2"])
        assert await ledger.check(call()) is None
        settled = asyncio.ensure_future(ledger.settle([BOX]))
        await asyncio.sleep(0)
        assert not settled.done()
        reported = asyncio.ensure_future(ledger.record(call(), report()))
        await settled
        assert (await usage(database)).counted == 1
        await reported


def test_amounts_are_written_for_people() -> None:
    assert [usd(nano) for nano in (0, 1, 10**9, 1_500_000_000, 12_340_000)] == [
        "$0.00", "$0.000000001", "$1.00", "$1.50", "$0.01234",
    ]  # fmt: skip
