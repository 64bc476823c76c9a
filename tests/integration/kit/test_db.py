"""On PostgreSQL: transactions."""

from tests.unit.kit.test_db import *  # noqa: F403
