"""On the fake runtime: runs through the official client, in real sandboxes: from start to score to end."""

from tests.integration.scenario.run.test_runs import *  # noqa: F403
