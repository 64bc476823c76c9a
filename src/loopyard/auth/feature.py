"""The feature of API keys: who calls, and what is open with which key."""

from loopyard.auth.authenticator import Authenticator
from loopyard.auth.live import LiveConnections
from loopyard.auth.watch import KeyWatch
from loopyard.feature import BackgroundTask, Feature, Routes, Server
from loopyard.key.endpoints import router
from loopyard.key.service import KeyService


def build(server: Server, _: object) -> Feature:
    """Build the authenticator, the service of keys, and the watch over keys that other processes change."""
    live = server.offer(LiveConnections, LiveConnections(server.in_flight))
    authenticator = server.offer(Authenticator, Authenticator(server.database, live))
    server.offer(KeyService, KeyService(authenticator))
    watch = KeyWatch(server.database, authenticator)
    return Feature(routers=[Routes(router)], tasks=[BackgroundTask("keys", watch.run)], flushes=[watch.note_uses])
