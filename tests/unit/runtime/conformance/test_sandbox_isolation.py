"""On the fake runtime: who one is inside, and what that is worth outside."""

from tests.integration.runtime.conformance.test_sandbox_isolation import *  # noqa: F403
