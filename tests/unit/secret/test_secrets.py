"""On the fake runtime: secrets through the official client, with real devboxes."""

from tests.integration.secret.test_secrets import *  # noqa: F403
