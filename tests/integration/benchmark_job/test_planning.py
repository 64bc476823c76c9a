"""On PostgreSQL: what jobs are made of, in a store that several accounts share."""

from tests.unit.benchmark_job.test_planning import *  # noqa: F403
