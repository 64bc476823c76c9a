"""The feature of brokers, which drive agents by the events of axons."""

from loopyard.axon.event.publisher import Publisher
from loopyard.broker.brokers import Brokers
from loopyard.devbox.execution.engine import ExecutionEngine
from loopyard.devbox.lifecycle.activity import Activity
from loopyard.devbox.lifecycle.auto_resume import AutoResume
from loopyard.devbox.lifecycle.companions import Companions
from loopyard.devbox.lifecycle.shutdown import Endings
from loopyard.feature import Feature, Reconciler, Server


def build(server: Server, _: object) -> Feature:
    """Build the brokers, which follow the life of devboxes."""
    brokers = Brokers(
        server.database,
        server.runtime,
        server.get(ExecutionEngine),
        server.get(Publisher),
        server.tasks,
        server.get(AutoResume).wake,
        server.get(Activity).used,
    )
    server.get(Companions).add(brokers)
    server.get(Endings).add_listener(brokers.ended)
    # It resumes suspended devboxes that have events to hear: first the others must be what the store says.
    return Feature(reconcilers=[Reconciler("brokers", brokers.reconcile, after=("devboxes",))])
