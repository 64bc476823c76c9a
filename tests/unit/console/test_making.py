"""On the fake runtime: what is made and changed by pages."""

from tests.integration.console.test_making import *  # noqa: F403
