"""The servers of the integration tests of benchmark jobs."""

from tests.integration.benchmark_job.conftest import api, server

__all__ = ("api", "server")
