"""On the fake runtime: requests that cannot be: each is refused at once, naming the field, and nothing is made."""

from tests.integration.benchmark_job.test_requests import *  # noqa: F403
