"""The boxes of the integration tests of security."""

from tests.integration.security.conftest import box, other, server

__all__ = ("box", "other", "server")
