"""The axons' parts of a server, put together."""

from pathlib import Path

from loopyard.axon.endpoints import router as axon_router
from loopyard.axon.event.endpoints import router as event_router
from loopyard.axon.event.publisher import Publisher
from loopyard.axon.event.subscribers import Subscribers
from loopyard.axon.leftovers import AxonsKeeper
from loopyard.axon.sql.endpoints import router as sql_router
from loopyard.axon.sql.service import SqlService
from loopyard.axon.sql.workers import SqlWorkers
from loopyard.kit.db import Database
from loopyard.kit.in_flight import InFlightRequests
from loopyard.kit.parts import Parts
from loopyard.kit.tasks import Tasks
from loopyard.runtime.upkeep import Keeper

EVENTS = event_router
ROUTERS = (sql_router, axon_router)


def add(parts: Parts, data_dir: Path) -> list[Keeper]:
    """Add the axons' parts. Returns what frees their leftovers."""
    database = parts.get(Database)
    subscribers = parts.add(Subscribers, Subscribers(database))
    parts.get(InFlightRequests).add_stream_end(subscribers.end)
    parts.add(Publisher, Publisher(database, subscribers, parts.get(Tasks)))
    workers = parts.add(SqlWorkers, SqlWorkers(data_dir / "axons"))
    parts.add(SqlService, SqlService(database, workers))
    return [AxonsKeeper(database, workers)]


def start(parts: Parts) -> None:
    """Start the axons' background work."""
    parts.get(Tasks).start("axon subscribers", parts.get(Subscribers).run())
    parts.get(Tasks).start("axon sql workers", parts.get(SqlWorkers).run())
