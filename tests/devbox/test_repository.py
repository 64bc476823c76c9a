"""What is written about devboxes, on both engines."""

import pytest
from sqlalchemy import select

from loopyard.account.models import Account
from loopyard.devbox import repository
from loopyard.devbox.models import Devbox
from loopyard.kit.db import Database
from tests.devbox.making import stored_devbox

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("number", [1, 3])
async def test_those_that_were_used_are_noted_and_no_others(database: Database, number: int) -> None:
    ids = [f"dbx_{place}" for place in range(4)]
    async with database.write() as session:
        session.add(Account(id="acc_1", name="one", create_time_ms=0))
        await session.flush()
        session.add_all([stored_devbox(devbox_id) for devbox_id in ids])
    async with database.write() as session:
        await repository.touch_all(session, [*ids[:number], "dbx_none"], 5)
    async with database.read() as session:
        found = (await session.execute(select(Devbox.id, Devbox.active_at_ms).order_by(Devbox.id))).all()
    assert [tuple(row) for row in found] == [(one, 5 if place < number else 0) for place, one in enumerate(ids)]
