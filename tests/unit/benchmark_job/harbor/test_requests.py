"""On the fake runtime: requests for Harbor jobs that cannot be."""

from tests.integration.benchmark_job.harbor.test_requests import *  # noqa: F403
