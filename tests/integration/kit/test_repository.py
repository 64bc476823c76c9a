"""On PostgreSQL: the verbs of repositories."""

from tests.unit.kit.test_repository import *  # noqa: F403
