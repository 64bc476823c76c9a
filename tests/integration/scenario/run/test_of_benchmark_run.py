"""On PostgreSQL: the runs of a benchmark run as reports read them."""

from tests.unit.scenario.run.test_of_benchmark_run import *  # noqa: F403
