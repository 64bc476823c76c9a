"""On the fake runtime: the server has one scenario by each name, and it is what the folder says."""

from tests.integration.bench.test_catalog import *  # noqa: F403
