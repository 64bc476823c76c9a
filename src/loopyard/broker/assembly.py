"""The broker's parts of a server, put together."""

from loopyard.axon.event.publisher import Publisher
from loopyard.broker.brokers import Brokers
from loopyard.devbox.activity import Activity
from loopyard.devbox.execution.engine import ExecutionEngine
from loopyard.devbox.lifecycle import Lifecycle
from loopyard.kit.db import Database
from loopyard.kit.parts import Parts
from loopyard.kit.tasks import Tasks
from loopyard.runtime.protocol import Runtime


def add(parts: Parts) -> None:
    """Add the brokers, and have them follow the life of devboxes."""
    lifecycle = parts.get(Lifecycle)
    brokers = Brokers(
        parts.get(Database),
        parts.get(Runtime),
        parts.get(ExecutionEngine),
        parts.get(Publisher),
        parts.get(Tasks),
        lifecycle.wake,
        parts.get(Activity).used,
    )
    parts.add(Brokers, brokers)
    lifecycle.companions.add(brokers)
    lifecycle.endings.add_listener(brokers.ended)
