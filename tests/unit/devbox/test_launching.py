"""On the fake runtime: what devboxes are launched with: entrypoint, user, environment, size."""

from tests.integration.devbox.test_launching import *  # noqa: F403
