"""The feature of devboxes' events and usage."""

from loopyard.devbox.log.events import Events
from loopyard.devbox.log.sampler import INTERVAL_SECONDS, UsageSampler
from loopyard.devbox.usage.files import SampleFiles
from loopyard.devbox.usage.history import UsageHistory
from loopyard.feature import BackgroundTask, Feature, Reconciler, Server
from loopyard.kit.background.periodic import Periodic
from loopyard.runtime.refusals import TellsRefusals


def build(server: Server, _: object) -> Feature:
    """Build the writer of events, which earlier features than devboxes themselves use, and the sampler of usage."""
    events = server.offer(Events, Events(server.database))
    history = server.offer(UsageHistory, UsageHistory(server.runtime, SampleFiles(server.data_dir / "usage")))
    sampler = UsageSampler(server.database, server.runtime, events, history)
    sampling = Periodic("sampling the usage of devboxes", sampler.sample, every=INTERVAL_SECONDS, at_once=False)
    if isinstance(server.runtime, TellsRefusals):
        server.runtime.refused = events.refused
    return Feature(
        reconcilers=[Reconciler("samples of usage", sampler.reconcile)],
        tasks=[BackgroundTask("events", events.run), BackgroundTask("sampling", sampling.run)],
        flushes=[events.flush],
    )
