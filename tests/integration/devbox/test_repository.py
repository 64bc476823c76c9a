"""On PostgreSQL: what is written about devboxes."""

from tests.unit.devbox.test_repository import *  # noqa: F403
