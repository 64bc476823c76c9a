"""On the fake runtime: variables that no program can be started with are refused, from wherever they come."""

from tests.integration.devbox.test_variables import *  # noqa: F403
