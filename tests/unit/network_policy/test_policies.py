"""On the fake runtime: the resource itself, through the official client."""

from tests.integration.network_policy.test_policies import *  # noqa: F403
