"""On the fake runtime: what goes in comes out to the byte."""

from tests.integration.devbox.test_bytes import *  # noqa: F403
