"""On the fake runtime: sandboxes come, stop, go on and go."""

from tests.integration.runtime.conformance.test_sandbox_lifecycle import *  # noqa: F403
