"""On PostgreSQL and SQLite: what the migration says of runs of before."""

from tests.unit.scenario.run.test_migrated_runs import *  # noqa: F403
