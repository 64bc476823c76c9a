"""On the fake runtime: files through the official client."""

from tests.integration.devbox.test_files import *  # noqa: F403
