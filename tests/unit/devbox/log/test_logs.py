"""On the fake runtime: logs of devboxes through the official client."""

from tests.integration.devbox.log.test_logs import *  # noqa: F403
