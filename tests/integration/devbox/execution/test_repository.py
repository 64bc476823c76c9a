"""On PostgreSQL: the order and the ends of executions."""

from tests.unit.devbox.execution.test_repository import *  # noqa: F403
