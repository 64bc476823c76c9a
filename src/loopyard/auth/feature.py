"""The feature of callers: who calls, and what is open with which key."""

from loopyard.auth.authenticator import Authenticator
from loopyard.auth.live import LiveConnections
from loopyard.auth.watch import LOOK_SECONDS, NOTE_SECONDS, KeyWatch
from loopyard.feature import BackgroundTask, Feature, Server
from loopyard.kit.background.periodic import Periodic


def build(server: Server, _: object) -> Feature:
    """Build the authenticator, and the watch over keys that other processes change."""
    live = server.offer(LiveConnections, LiveConnections(server.in_flight))
    authenticator = server.offer(Authenticator, Authenticator(server.database, live))
    watch = KeyWatch(server.database, authenticator)
    looks = Periodic("looking for changes of keys", watch.look, every=LOOK_SECONDS, at_once=False)
    notes = Periodic("writing down uses of keys", watch.note_uses, every=NOTE_SECONDS, at_once=False)
    return Feature(
        tasks=[BackgroundTask("keys", looks.run), BackgroundTask("uses of keys", notes.run)],
        flushes=[watch.note_uses],
    )
