"""On the fake runtime: the way out, and the ports inside."""

from tests.integration.runtime.conformance.test_sandbox_network import *  # noqa: F403
