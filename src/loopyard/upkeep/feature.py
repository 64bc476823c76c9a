"""The feature of garbage collection. It comes last: it has the collectors of all features before it."""

from typing import Protocol

from loopyard.feature import BackgroundTask, Feature, Server
from loopyard.kit.background.periodic import Periodic
from loopyard.runtime.upkeep import HasKeepers
from loopyard.upkeep.config import UpkeepConfig
from loopyard.upkeep.control import Control
from loopyard.upkeep.requests import RequestsKeeper
from loopyard.upkeep.sweep import Sweep


class UpkeepSettings(Protocol):
    """Settings that this feature reads."""

    upkeep: UpkeepConfig


def build(server: Server, settings: UpkeepSettings) -> Feature:
    """Build the garbage collection, and the socket by which the command line asks for it."""
    collectors = [
        RequestsKeeper(server.database),
        *(collector for feature in server.features for collector in feature.collectors),
        # What rows and builds refer to is on the host, so the host is cleaned last.
        *(server.runtime.keepers if isinstance(server.runtime, HasKeepers) else ()),
    ]
    sweep = server.offer(Sweep, Sweep(collectors, settings.upkeep))
    sweeps = Periodic("collecting garbage", sweep.sweep, every=settings.upkeep.sweep_seconds, at_once=False)
    control = Control(server.data_dir, sweep)
    return Feature(tasks=[BackgroundTask("sweep", sweeps.run), BackgroundTask("control", control.run)])
