"""On the fake runtime: registered scorers through the official client."""

from tests.integration.scorer.registered.test_registered_scorers import *  # noqa: F403
