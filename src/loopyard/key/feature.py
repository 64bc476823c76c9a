"""The feature of API keys that callers make."""

from loopyard.auth.authenticator import Authenticator
from loopyard.feature import Feature, Routes, Server
from loopyard.key.endpoints import router
from loopyard.key.repeats import RepeatedSecrets
from loopyard.key.service import KeyService


def build(server: Server, _: object) -> Feature:
    """Build the service of keys."""
    server.offer(KeyService, KeyService(server.get(Authenticator), RepeatedSecrets(server.data_dir)))
    return Feature(routers=[Routes(router)])
