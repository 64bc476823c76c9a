"""On PostgreSQL: what a job's page asks of trials."""

from tests.unit.benchmark_job.trial.test_repository import *  # noqa: F403
