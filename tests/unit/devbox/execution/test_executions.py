"""On the fake runtime: commands through the official client."""

from tests.integration.devbox.execution.test_executions import *  # noqa: F403
