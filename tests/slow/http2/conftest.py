"""The devbox of the integration tests of HTTP/2."""

from tests.integration.http2.conftest import devbox_id, module_client

__all__ = ("devbox_id", "module_client")
