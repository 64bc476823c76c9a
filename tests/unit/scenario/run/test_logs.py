"""On the fake runtime: the logs of a run, downloaded by the official client."""

from tests.integration.scenario.run.test_logs import *  # noqa: F403
