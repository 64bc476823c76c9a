"""Pages by key: what a query may be, which rows a page holds, and whether more follow."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from loopyard.identity.models import Account
from loopyard.kit.db.database import Database
from loopyard.kit.errors import BadRequest
from loopyard.kit.http import error_handlers
from loopyard.kit.ids import new_id
from loopyard.kit.lists.paging import DEFAULT_LIMIT, MAX_LIMIT, PageParams, PageQuery, after, cursor_of, fetch_page

pytestmark = pytest.mark.anyio


async def _asked(query: str) -> httpx.Response:
    """The answer of an endpoint that tells how it was asked."""
    app = FastAPI()
    error_handlers.install(app)

    @app.get("/")
    async def told(query: PageParams) -> list[Any]:  # pyright: ignore[reportUnusedFunction]
        return [query.limit, query.starting_after, query.include_total_count]

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.get(f"/?{query}")


async def test_a_page_has_twenty_rows_and_a_total_unless_it_is_asked_for_otherwise() -> None:
    assert (DEFAULT_LIMIT, MAX_LIMIT) == (20, 5000)
    assert PageQuery() == PageQuery(20, None, include_total_count=True)
    assert (await _asked("")).json() == [20, None, True]
    assert (await _asked("limit=7&starting_after=x&include_total_count=false")).json() == [7, "x", False]


@pytest.mark.parametrize(("limit", "status"), [(0, 400), (1, 200), (5000, 200), (5001, 400)])
async def test_a_limit_is_from_one_to_five_thousand(limit: int, status: int) -> None:
    assert (await _asked(f"limit={limit}")).status_code == status


def test_a_cursor_is_an_id_of_the_list_whether_its_row_is_there_or_not() -> None:
    for query in (PageQuery(), PageQuery(starting_after=new_id("acc"))):
        assert cursor_of(query, "acc") is query


@pytest.mark.parametrize("cursor", ["", "acc", "acc_", "acc_1", "dbx_{}", "acc_{}0"])
def test_what_is_no_id_of_the_list_is_no_cursor(cursor: str) -> None:
    cursor = cursor.format(new_id("acc").removeprefix("acc_"))
    with pytest.raises(BadRequest) as refused:
        cursor_of(PageQuery(starting_after=cursor), "acc")
    assert refused.value.field == "starting_after"
    assert refused.value.message == (
        "starting_after: give the id of the last item of the page before; it begins with 'acc_'."
    )


async def _store(database: Database, count: int) -> list[str]:
    """Ids of that many new rows, newest first."""
    ids = [new_id("acc") for _ in range(count)]
    async with database.write() as session:
        session.add_all(Account(id=one, name=one, create_time_ms=1) for one in ids)
    return ids[::-1]


async def _page(database: Database, query: PageQuery) -> tuple[list[str], bool]:
    async with database.read() as session:
        rows, more = await fetch_page(session, select(Account), Account.id, query)
    return [row.id for row in rows], more


async def test_pages_lead_from_the_newest_row_to_the_oldest_and_hold_each_once(database: Database) -> None:
    ids = await _store(database, 5)
    assert await _page(database, PageQuery(2)) == (ids[:2], True)
    assert await _page(database, PageQuery(2, ids[1])) == (ids[2:4], True)
    assert await _page(database, PageQuery(2, ids[3])) == (ids[4:], False)
    assert await _page(database, PageQuery(2, ids[4])) == ([], False)


async def test_a_page_that_just_holds_the_rest_is_the_last(database: Database) -> None:
    ids = await _store(database, 4)
    assert await _page(database, PageQuery(4)) == (ids, False)
    assert await _page(database, PageQuery(2, ids[1])) == (ids[2:], False)


async def test_rows_that_come_and_a_cursor_that_goes_move_nothing(database: Database) -> None:
    ids = await _store(database, 3)
    async with database.write() as session:
        await session.delete(await session.get_one(Account, ids[0]))
    await _store(database, 2)
    assert await _page(database, PageQuery(5, ids[0])) == (ids[1:], False)


async def test_one_row_more_than_the_page_holds_is_asked_for(database: Database) -> None:
    ids = await _store(database, 4)
    async with database.read() as session:
        rows = (await session.scalars(after(select(Account.id), Account.id, PageQuery(2)))).all()
    assert rows == ids[:3]
