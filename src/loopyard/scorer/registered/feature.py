"""The feature of registered scorers."""

from loopyard.feature import Feature, Routes, Server
from loopyard.scorer.registered.endpoints import router


def build(_server: Server, _: object) -> Feature:
    """Return the router."""
    return Feature(routers=[Routes(router)])
