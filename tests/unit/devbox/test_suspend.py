"""On the fake runtime: suspending and resuming devboxes."""

from tests.integration.devbox.test_suspend import *  # noqa: F403
