"""On the fake runtime: what goes wrong in trials."""

from tests.integration.benchmark_job.test_failures import *  # noqa: F403
