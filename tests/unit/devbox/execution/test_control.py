"""On the fake runtime: killing commands and writing to their standard input."""

from tests.integration.devbox.execution.test_control import *  # noqa: F403
