"""On the fake runtime: A server is killed; the next one over the same data folder finds everything again."""

from tests.integration.runtime.conformance.test_sandbox_recovery import *  # noqa: F403
