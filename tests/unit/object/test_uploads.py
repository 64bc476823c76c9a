"""On the fake runtime: what is hostile, broken or large about uploads and signed URLs."""

from tests.integration.object.test_uploads import *  # noqa: F403
