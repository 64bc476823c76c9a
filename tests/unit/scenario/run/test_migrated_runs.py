"""Runs of before a failed setup was recorded are judged once, by the migration."""

import pytest
from alembic import command
from sqlalchemy import text

from loopyard.kit.db.database import Database
from loopyard.store import migrate
from loopyard.store.migrate import alembic_config

_DEVBOXES = (
    ("dbx_setup", "execution_failed", '[{"status": "provisioning"}, {"status": "failure", "failure_reason": "x"}]'),
    ("dbx_memory", "out_of_memory", '[{"status": "provisioning"}, {"status": "failure"}]'),
    ("dbx_host", "health_check_failed", '[{"status": "provisioning"}, {"status": "failure"}]'),
    ("dbx_ran", "out_of_memory", '[{"status": "running"}, {"status": "failure"}]'),
)


@pytest.mark.anyio
async def test_runs_of_before_are_judged_once_when_the_store_is_migrated(database: Database) -> None:
    async with database.engine.execution_options(loopyard_write=True).begin() as connection:
        await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "0021"))
        for devbox_id, reason, transitions in _DEVBOXES:
            await connection.execute(
                text(
                    "INSERT INTO devbox (id, account_id, status, metadata, environment_variables, launch_parameters,"
                    " file_mounts, secrets, state_transitions, initiator_type, create_time_ms, active_at_ms,"
                    " failure_reason, has_agents, has_broker, has_grants, starts, reclaimed) VALUES (:id, 'acc_1',"
                    " 'failure', '{}', '{}', '{}', '{}', '{}', :transitions, 'scenario', 1, 1, :reason, false, false,"
                    " false, 0, true)"
                ),
                {"id": devbox_id, "reason": reason, "transitions": transitions},
            )
            await connection.execute(
                text(
                    "INSERT INTO scenario_run (id, account_id, scenario_id, devbox_id, state, metadata,"
                    " environment_variables, secrets_provided, contract_digest, scorer_timeout_sec, start_time_ms)"
                    " VALUES (:id, 'acc_1', 'scn_1', :devbox_id, 'failed', '{}', '{}', '{}', 'digest', 1, 1)"
                ),
                {"id": devbox_id.replace("dbx", "scr"), "devbox_id": devbox_id},
            )
    await migrate.upgrade(database)
    async with database.read() as session:
        found = await session.execute(text("SELECT id FROM scenario_run WHERE setup_failed ORDER BY id"))
        assert found.scalars().all() == ["scr_memory", "scr_setup"]
