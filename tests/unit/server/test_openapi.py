"""On the fake runtime: the API's description is the same wherever it is asked for, and says what clients rely on."""

from tests.integration.server.test_openapi import *  # noqa: F403
