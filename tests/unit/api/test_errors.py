"""On the fake runtime: every operation refuses strangers, unknown ids and nonsense, with the one shape of errors."""

from tests.integration.api.test_errors import *  # noqa: F403
