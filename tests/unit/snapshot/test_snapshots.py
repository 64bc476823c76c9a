"""On the fake runtime: snapshots through the official client."""

from tests.integration.snapshot.test_snapshots import *  # noqa: F403
