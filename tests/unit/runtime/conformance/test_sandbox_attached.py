"""On the fake runtime: commands whose streams the caller holds."""

from tests.integration.runtime.conformance.test_sandbox_attached import *  # noqa: F403
