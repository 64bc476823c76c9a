"""The order and the ends of executions, on both engines."""

from typing import Any

import pytest

from loopyard.devbox.execution import repository
from loopyard.devbox.execution.repository import ExecutionRepository
from loopyard.devbox.execution.states import COMPLETED, QUEUED, RUNNING
from loopyard.devbox.lifecycle.states import Status
from loopyard.identity.models import Account
from loopyard.kit.db.database import Database
from loopyard.runtime.protocol import CommandResult
from tests.unit.devbox.making import stored_devbox

pytestmark = pytest.mark.anyio

ENDED = CommandResult(exit_status=3, timed_out=True)


def _values(id: str, *, position: int | None = None, status: str = RUNNING, start: int = 0) -> dict[str, Any]:
    return {
        "devbox_id": "dbx_1",
        "id": id,
        "purpose": "exec",
        "command": "true",
        "spec": {},
        "shell_name": None if position is None else "main",
        "shell_position": position,
        "status": status,
        "timed_out": False,
        "lost": False,
        "start_time_ms": start,
    }


async def test_an_id_is_taken_once_in_a_devbox(database: Database) -> None:
    async with database.write() as session:
        assert await ExecutionRepository(session).create_if_new(_values("a"))
        assert not await ExecutionRepository(session).create_if_new({**_values("a"), "command": "false"})
        assert await ExecutionRepository(session).create_if_new({**_values("a"), "devbox_id": "dbx_2"})
    async with database.read() as session:
        execution = await ExecutionRepository(session).get_in_devbox("dbx_1", "a")
    assert execution is not None
    assert execution.command == "true"


async def test_it_is_written_down_at_once_only_for_a_devbox_of_the_account_that_runs(database: Database) -> None:
    async with database.write() as session:
        session.add(Account(id="acc_1", name="one", create_time_ms=0))
        await session.flush()
        session.add_all([stored_devbox("dbx_1", Status.RUNNING), stored_devbox("dbx_2", Status.SUSPENDED)])
    values = {**_values("a"), "spec": {"argv": ["/bin/bash", "-c", "echo 'ü'"]}}
    assert not await repository.insert_if_running(database, "acc_2", values)
    assert not await repository.insert_if_running(database, "acc_1", {**values, "devbox_id": "dbx_2"})
    assert not await repository.insert_if_running(database, "acc_1", {**values, "devbox_id": "dbx_3"})
    assert await repository.insert_if_running(database, "acc_1", values)
    assert not await repository.insert_if_running(database, "acc_1", values)
    async with database.read() as session:
        (found,) = await ExecutionRepository(session).list_unfinished()
    assert (found.devbox_id, found.id, found.spec, found.shell_name) == ("dbx_1", "a", values["spec"], None)


async def test_a_shell_counts_its_own_commands(database: Database) -> None:
    async with database.write() as session:
        assert await ExecutionRepository(session).last_in_shell("dbx_1", "main") == 0
        await ExecutionRepository(session).create_if_new(_values("a", position=1))
        await ExecutionRepository(session).create_if_new(_values("b", position=2, status=QUEUED))
        await ExecutionRepository(session).create_if_new({**_values("c", position=9), "shell_name": "other"})
        assert await ExecutionRepository(session).last_in_shell("dbx_1", "main") == 2
        assert await ExecutionRepository(session).last_in_shell("dbx_2", "main") == 0


async def test_what_is_queued_begins_once_or_is_killed(database: Database) -> None:
    async with database.write() as session:
        await ExecutionRepository(session).create_if_new(_values("a", position=1, status=QUEUED))
        await ExecutionRepository(session).create_if_new(_values("b", position=2, status=QUEUED))
        assert await ExecutionRepository(session).begin("dbx_1", "a")
        assert not await ExecutionRepository(session).begin("dbx_1", "a")
    assert not await repository.finish(database, "dbx_1", "a", ENDED, only=QUEUED)
    assert await repository.finish(database, "dbx_1", "b", ENDED, only=QUEUED)
    async with database.write() as session:
        assert not await ExecutionRepository(session).begin("dbx_1", "b")


async def test_an_end_is_recorded_once(database: Database) -> None:
    assert await repository.insert_at_once(database, _values("a"))
    assert not await repository.insert_at_once(database, _values("a"))
    assert await repository.finish(database, "dbx_1", "a", ENDED)
    assert not await repository.finish(database, "dbx_1", "a", CommandResult(exit_status=0))
    async with database.read() as session:
        execution = await ExecutionRepository(session).get_in_devbox("dbx_1", "a")
    assert execution is not None
    assert (execution.status, execution.exit_status, execution.timed_out) == (COMPLETED, 3, True)
    assert execution.end_time_ms is not None


async def test_the_unfinished_of_a_shell_come_in_their_order(database: Database) -> None:
    async with database.write() as session:
        for name, position, start in (("z", 1, 7), ("m", 3, 5), ("a", 2, 9)):
            await ExecutionRepository(session).create_if_new(
                _values(name, position=position, status=QUEUED, start=start)
            )
        await ExecutionRepository(session).create_if_new(_values("done"))
        await ExecutionRepository(session).create_if_new(_values("plain"))
    await repository.finish(database, "dbx_1", "done", ENDED)
    async with database.read() as session:
        found = await ExecutionRepository(session).list_unfinished()
    assert [execution.id for execution in found if execution.shell_name] == ["z", "a", "m"]
    assert {execution.id for execution in found} == {"z", "a", "m", "plain"}


async def test_an_overview_has_the_newest_of_callers_commands_and_all_of_the_servers_own(database: Database) -> None:
    async with database.write() as session:
        for number in range(5):
            assert await ExecutionRepository(session).create_if_new(_values(f"e{number}", start=10 + number))
        for command, purpose, start in (("launch.0", "launch", 1), ("score.0", "scoring", 99)):
            assert await ExecutionRepository(session).create_if_new(
                {**_values(command, start=start), "purpose": purpose}
            )
        assert await ExecutionRepository(session).create_if_new({**_values("other"), "devbox_id": "dbx_2"})
    async with database.read() as session:
        found, left_out = await ExecutionRepository(session).overview("dbx_1", 2)
        everything, nothing = await ExecutionRepository(session).overview("dbx_1", 10)
    assert ([one.id for one in found], left_out) == (["launch.0", "e3", "e4", "score.0"], 3)
    assert ([one.id for one in everything][:2], len(everything), nothing) == (["launch.0", "e0"], 7, 0)
