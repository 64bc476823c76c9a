"""On the fake runtime: what commands write: every byte, in files that can be read at any offset."""

from tests.integration.runtime.conformance.test_sandbox_outputs import *  # noqa: F403
