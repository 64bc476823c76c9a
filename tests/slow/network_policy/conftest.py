"""The world of the integration tests of network policies."""

from tests.integration.network_policy.conftest import make_box, server, world

__all__ = ("make_box", "server", "world")
