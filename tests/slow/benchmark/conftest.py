"""The servers of the integration tests of benchmarks."""

from tests.integration.benchmark.conftest import api, server

__all__ = ("api", "server")
