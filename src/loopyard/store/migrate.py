"""Brings a store's schema up to date."""

from pathlib import Path
from typing import Protocol

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

_SCRIPTS = Path(__file__).parent / "migrations"


class HasEngine(Protocol):
    """A store that can be migrated."""

    @property
    def engine(self) -> AsyncEngine: ...


def alembic_config(connection: Connection) -> Config:
    """Alembic's configuration for an open connection; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    return config


async def upgrade(database: HasEngine) -> None:
    """Run the migrations that the store has not seen yet, all or none."""
    async with database.engine.execution_options(loopyard_write=True).begin() as connection:
        await connection.run_sync(lambda sync: command.upgrade(alembic_config(sync), "head"))
