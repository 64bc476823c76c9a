"""On PostgreSQL: the migrations make the tables that the models describe."""

from tests.unit.store.test_migrations import *  # noqa: F403
