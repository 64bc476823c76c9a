"""On the fake runtime: devboxes through the official client: making, finding, changing, ending."""

from tests.integration.devbox.test_devboxes import *  # noqa: F403
