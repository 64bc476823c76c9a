"""The feature of secrets."""

from typing import Protocol

from loopyard.feature import Feature, Routes, Server
from loopyard.secret.endpoints import router
from loopyard.secret.held import HeldTokens
from loopyard.secret.keys import key_ring
from loopyard.secret.service import SecretService
from loopyard.secret.vault import Vault


class SecretSettings(Protocol):
    """Settings that this feature reads."""

    @property
    def configured_secret_keys(self) -> str | None: ...


def build(server: Server, settings: SecretSettings) -> Feature:
    """Build the services of secrets and of sealed credentials, with one vault."""
    vault = Vault(key_ring(settings.configured_secret_keys, server.data_dir))
    server.offer(SecretService, SecretService(server.database, vault))
    server.offer(HeldTokens, HeldTokens(vault))
    return Feature(routers=[Routes(router)])
