"""On the fake runtime: signals, time limits, and processes that stay behind."""

from tests.integration.runtime.conformance.test_sandbox_stopping import *  # noqa: F403
