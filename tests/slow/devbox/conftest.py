"""The devbox of the integration tests of devboxes."""

from tests.integration.devbox.conftest import devbox_id, module_client

__all__ = ("devbox_id", "module_client")
