"""On the fake runtime: agents through the official client: made, found, counted and deleted."""

from tests.integration.agent.test_agents import *  # noqa: F403
