"""On the fake runtime: scenarios through the official client: making, finding, changing, archiving."""

from tests.integration.scenario.test_scenarios import *  # noqa: F403
