"""What is written about devboxes, on both engines."""

import pytest
from sqlalchemy import select

from loopyard.account.models import Account
from loopyard.devbox import repository
from loopyard.devbox.models import Devbox
from loopyard.devbox.states import Status, transition
from loopyard.kit.db import Database
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
        await repository.touch_all(session, [*ids[:number], "dbx_none"], 5)
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
        found = await repository.get(session, "dbx_1")
    assert found is not None
    expected = (Status.RUNNING, passed, 7) if runs else (status, before, 0)
    assert (found.status, found.state_transitions, found.active_at_ms) == expected
