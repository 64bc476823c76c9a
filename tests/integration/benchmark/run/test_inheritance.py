"""On PostgreSQL: what benchmark runs hand down, and what is kept of it."""

from tests.unit.benchmark.run.test_inheritance import *  # noqa: F403
