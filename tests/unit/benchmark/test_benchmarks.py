"""On the fake runtime: benchmarks through the official client: making, finding, changing."""

from tests.integration.benchmark.test_benchmarks import *  # noqa: F403
