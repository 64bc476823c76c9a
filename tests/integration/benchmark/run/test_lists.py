"""On PostgreSQL: the lists of benchmarks and benchmark runs against a naive model."""

from tests.unit.benchmark.run.test_lists import *  # noqa: F403
