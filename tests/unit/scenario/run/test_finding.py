"""On the fake runtime: lists of runs and unknown runs, as the official client sees them."""

from tests.integration.scenario.run.test_finding import *  # noqa: F403
