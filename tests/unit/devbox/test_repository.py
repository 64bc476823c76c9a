"""What is written about devboxes, on both engines."""

from typing import Any

import pytest
from sqlalchemy import event, select

from loopyard.devbox import repository
from loopyard.devbox.lifecycle.states import Status, transition
from loopyard.devbox.models import Devbox
from loopyard.devbox.repository import DevboxRepository
from loopyard.identity.models import Account
from loopyard.kit.db.database import Database
from loopyard.kit.lists.paging import PageQuery
from tests.unit.devbox.making import stored_devbox

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("number", [1, 3])
async def test_those_that_were_used_are_noted_and_no_others(database: Database, number: int) -> None:
    ids = [f"dbx_{place}" for place in range(4)]
    async with database.write() as session:
        session.add(Account(id="acc_1", name="one", create_time_ms=0))
        await session.flush()
        session.add_all([stored_devbox(devbox_id) for devbox_id in ids])
    async with database.write() as session:
        await DevboxRepository(session).touch_all([*ids[:number], "dbx_none"], 5)
    async with database.read() as session:
        found = (await session.execute(select(Devbox.id, Devbox.active_at_ms).order_by(Devbox.id))).all()
    assert [tuple(row) for row in found] == [(one, 5 if place < number else 0) for place, one in enumerate(ids)]


@pytest.mark.parametrize("status", Status)
async def test_only_what_is_being_provisioned_runs_at_once(database: Database, status: Status) -> None:
    passed = [transition(Status.PROVISIONING, 1), transition(Status.INITIALIZING, 2), transition(Status.RUNNING, 2)]
    async with database.write() as session:
        session.add(Account(id="acc_1", name="one", create_time_ms=0))
        await session.flush()
        devbox = stored_devbox("dbx_1")
        devbox.status = status
        session.add(devbox)
    before = devbox.state_transitions
    runs = await repository.run_at_once(database, "dbx_1", passed, 7)
    assert runs == (status == Status.PROVISIONING)
    async with database.read() as session:
        found = await DevboxRepository(session).get_by_id("dbx_1")
    assert found is not None
    expected = (Status.RUNNING, passed, 7) if runs else (status, before, 0)
    assert (found.status, found.state_transitions, found.active_at_ms) == expected


async def _store_named(database: Database, names: dict[str, str | None]) -> None:
    async with database.write() as session:
        session.add_all([Account(id=account, name=account, create_time_ms=0) for account in ("acc_1", "acc_2")])
        await session.flush()
        for devbox_id, name in names.items():
            devbox = stored_devbox(devbox_id, Status.SUSPENDED if devbox_id == "dbx_3" else Status.RUNNING)
            devbox.name = name
            session.add(devbox)
        other = stored_devbox("dbx_9")
        other.name, other.account_id = "Needle of others", "acc_2"
        session.add(other)


async def test_names_are_found_in_part_and_in_any_case_page_by_page(database: Database) -> None:
    names = {"dbx_1": "a needle", "dbx_2": "hay", "dbx_3": "NEEDLES", "dbx_4": None, "dbx_5": "100% \u00c4 needle_x"}
    await _store_named(database, names)

    async def found(search: str, status: str | None = None, after: str | None = None, limit: int = 9) -> list[str]:
        async with database.read() as session:
            query = PageQuery(limit, after, include_total_count=False)
            page = await DevboxRepository(session).list_page("acc_1", status, query, search)
        assert page.has_more == (limit < 9)
        return [one.id for one in page.items]

    assert await found("Needle") == ["dbx_5", "dbx_3", "dbx_1"]
    assert await found("needle", limit=1) == ["dbx_5"]
    assert await found("needle", after="dbx_5") == ["dbx_3", "dbx_1"]
    assert await found("needle", status=Status.SUSPENDED) == ["dbx_3"]
    assert await found("dbx_4") == ["dbx_4"]
    assert await found("0% \u00c4") == ["dbx_5"]
    assert await found("e_x") == ["dbx_5"]
    assert await found("%") == ["dbx_5"]
    assert await found("others") == []


async def test_a_search_walks_the_index_of_the_account_in_order(database: Database) -> None:
    await _store_named(database, {f"dbx_a{number:04}": f"name {number}" for number in range(2000)})
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    async with database.read() as session:
        connection = await session.connection()
        engine = connection.sync_connection
        assert engine is not None
        event.listen(engine, "before_cursor_execute", note)
        query = PageQuery(5, "dbx_a1000", include_total_count=False)
        await DevboxRepository(session).list_page("acc_1", None, query, "name 7")
        event.remove(engine, "before_cursor_execute", note)
        [(statement, parameters)] = statements
        if connection.dialect.name == "sqlite":
            explained = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plan = " ".join(str(tuple(row)[-1]) for row in explained)
            assert "ix_devbox_account_id_id (account_id=? AND id<?)" in plan
            assert "TEMP B-TREE" not in plan
        else:
            for setting in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):
                await connection.exec_driver_sql(f"SET LOCAL {setting} = off")
            explained = await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            plan = " ".join(str(next(iter(row))) for row in explained)
            assert "Index Scan Backward using" in plan
            assert "Sort" not in plan
