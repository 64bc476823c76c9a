"""On the fake runtime: disks kept as they were at one moment."""

from tests.integration.runtime.conformance.test_sandbox_snapshots import *  # noqa: F403
