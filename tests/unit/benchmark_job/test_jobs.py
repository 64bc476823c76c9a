"""On the fake runtime: jobs by the official client, in real sandboxes."""

from tests.integration.benchmark_job.test_jobs import *  # noqa: F403
