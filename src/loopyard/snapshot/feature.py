"""The feature of snapshots."""

from loopyard.feature import Feature, Reconciler, Routes, Server, Traffic
from loopyard.snapshot.endpoints import router
from loopyard.snapshot.leftovers import SnapshotsKeeper
from loopyard.snapshot.service import SnapshotService
from loopyard.snapshot.source import SnapshotSources
from loopyard.snapshot.taker import SnapshotTaker


def build(server: Server, _: object) -> Feature:
    """Build the taker of snapshots and its service."""
    sources = server.get(SnapshotSources)
    taker = SnapshotTaker(server.database, server.runtime, sources, server.changes, server.tasks)
    server.offer(SnapshotService, SnapshotService(taker, sources))
    return Feature(
        routers=[Routes(router, Traffic.NORMAL)],
        # Devboxes are what callers wait for; copies of disks that were interrupted come after them.
        reconcilers=[Reconciler("snapshots", taker.reconcile, after=("devboxes",))],
        collectors=[SnapshotsKeeper(server.database, server.runtime)],
    )
