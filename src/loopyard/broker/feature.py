"""The feature of brokers, which drive agents by the events of axons."""

from loopyard.axon.event.publisher import Publisher
from loopyard.broker.brokers import Brokers
from loopyard.devbox.execution.engine import ExecutionEngine
from loopyard.devbox.lifecycle.activity import Activity
from loopyard.devbox.lifecycle.lifecycle import Lifecycle
from loopyard.feature import Feature, Reconciler, Server


def build(server: Server, _: object) -> Feature:
    """Build the brokers, which follow the life of devboxes."""
    lifecycle = server.get(Lifecycle)
    brokers = Brokers(
        server.database,
        server.runtime,
        server.get(ExecutionEngine),
        server.get(Publisher),
        server.tasks,
        lifecycle.wake,
        server.get(Activity).used,
    )
    lifecycle.companions.add(brokers)
    lifecycle.endings.add_listener(brokers.ended)
    # It resumes suspended devboxes that have events to hear: first the others must be what the store says.
    return Feature(reconcilers=[Reconciler("brokers", brokers.reconcile, after=("devboxes",))])
