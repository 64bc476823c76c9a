"""On the fake runtime: benchmark runs through the official client, with real scenario runs."""

from tests.integration.benchmark.run.test_runs import *  # noqa: F403
