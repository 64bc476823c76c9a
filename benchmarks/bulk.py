"""Many rows at once, past the API: copies of a row that the API made, each with ids of its own."""

from collections.abc import Mapping

from sqlalchemy import Column, MetaData, String, Table, insert, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from loopyard.kit.db.database import Database
from loopyard.kit.ids import new_id

_BATCH = 50_000


async def copy_row(database: Database, table: Table, row_id: str, copies: int, fresh: Mapping[str, str]) -> list[str]:
    """Copy a row so many times. `fresh` names the columns that get new ids, and their prefixes; `id` is one of them.
    Returns the ids in the order in which they were made, which is their own."""
    made: list[str] = []
    for begun in range(0, copies, _BATCH):
        count = min(_BATCH, copies - begun)
        async with database.engine.execution_options(loopyard_write=True).begin() as connection:
            made += await _copy_batch(connection, table, row_id, count, fresh)
    return made


async def _copy_batch(
    connection: AsyncConnection, table: Table, row_id: str, count: int, fresh: Mapping[str, str]
) -> list[str]:
    ids = Table("bench_ids", MetaData(), *(Column(name, String) for name in fresh), prefixes=["TEMPORARY"])
    rows = [{name: new_id(prefix) for name, prefix in fresh.items()} for _ in range(count)]
    await connection.run_sync(ids.create)
    await connection.execute(insert(ids), rows)
    given = [ids.c[column.name] if column.name in fresh else column for column in table.columns]
    # The join has no condition but one that is always true: every new id with the one row.
    copied = select(*given).select_from(ids.join(table, literal_column("1") == literal_column("1")))
    names = [column.name for column in table.columns]
    await connection.execute(insert(table).from_select(names, copied.where(table.c["id"] == row_id)))
    await connection.run_sync(ids.drop)
    return [row["id"] for row in rows]
