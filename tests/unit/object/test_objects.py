"""On the fake runtime: objects through the official client: its own calls, and the helpers of its SDK."""

from tests.integration.object.test_objects import *  # noqa: F403
