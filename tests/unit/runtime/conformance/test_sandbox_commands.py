"""On the fake runtime: how commands start, what they see, and how they end."""

from tests.integration.runtime.conformance.test_sandbox_commands import *  # noqa: F403
