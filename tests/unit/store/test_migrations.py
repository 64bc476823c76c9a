"""The migrations make the tables that the models describe, on both engines."""

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from loopyard.kit.db.database import Database
from loopyard.store import migrate
from loopyard.store.migrate import alembic_config
from loopyard.store.schema import metadata

pytestmark = pytest.mark.anyio


def _differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return compare_metadata(context, metadata())


async def test_the_tables_are_what_the_models_say(database: Database) -> None:
    async with database.engine.connect() as connection:
        assert await connection.run_sync(_differences) == []


async def test_running_them_again_changes_nothing(database: Database) -> None:
    async with database.write() as session:
        await session.execute(text("INSERT INTO account (id, name, create_time_ms) VALUES ('acc_1', 'kept', 1)"))
    await migrate.upgrade(database)
    async with database.read() as session:
        assert (await session.execute(text("SELECT name FROM account"))).scalars().all() == ["kept"]


async def test_they_are_one_chain(database: Database) -> None:
    async with database.engine.connect() as connection:
        script = await connection.run_sync(lambda sync: ScriptDirectory.from_config(alembic_config(sync)))
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1


async def test_one_that_fails_leaves_the_store_as_it_was(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async with database.engine.execution_options(loopyard_write=True).begin() as connection:
        await connection.execute(text("DROP TABLE alembic_version"))
    with pytest.raises(Exception, match="already exists"):
        await migrate.upgrade(database)  # as if none had been run: the first table is there
    async with database.engine.connect() as connection:
        versions = await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_heads())
    assert versions == ()
