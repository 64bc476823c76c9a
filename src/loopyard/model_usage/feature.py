"""The feature of model usage: tokens, costs and recordings."""

from typing import Protocol

from loopyard.devbox.log.events import Events
from loopyard.feature import BackgroundTask, Feature, Reconciler, Routes, Server
from loopyard.gateway.observation import Ledger as CallLedger
from loopyard.model_usage.endpoints import router
from loopyard.model_usage.ledger import Ledger
from loopyard.model_usage.recording.leftovers import RecordingsKeeper
from loopyard.model_usage.recording.recordings import Recordings
from loopyard.upstream_proxy.config import GatewaySettings


class UsageSettings(Protocol):
    """Settings that this feature reads."""

    gateway: GatewaySettings


def build(server: Server, settings: UsageSettings) -> Feature:
    """Build the ledger of calls of models, and the recordings of them."""
    ledger = server.offer(Ledger, Ledger(server.database, server.get(Events)))
    server.offer(CallLedger, ledger)
    recordings = server.offer(Recordings, Recordings(server.data_dir / "gateway"))
    return Feature(
        routers=[Routes(router)],
        reconcilers=[Reconciler("model usage", ledger.reconcile)],
        tasks=[BackgroundTask("model usage", ledger.run)],
        flushes=[ledger.write],
        collectors=[RecordingsKeeper(server.database, recordings, settings.gateway.recording_days)],
    )
