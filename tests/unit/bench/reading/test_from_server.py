"""On the fake runtime: reading benchmark runs and jobs of a real server."""

from tests.integration.bench.reading.test_from_server import *  # noqa: F403
