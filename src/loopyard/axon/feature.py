"""The feature of axons."""

from loopyard.axon.endpoints import router
from loopyard.axon.event.endpoints import router as event_router
from loopyard.axon.event.publisher import Publisher
from loopyard.axon.event.subscribers import Subscribers
from loopyard.axon.leftovers import AxonsKeeper
from loopyard.axon.sql.endpoints import router as sql_router
from loopyard.axon.sql.service import SqlService
from loopyard.axon.sql.workers import SqlWorkers
from loopyard.feature import BackgroundTask, Feature, Routes, Server, Traffic


def build(server: Server, _: object) -> Feature:
    """Build the subscriptions to events, and the databases of axons."""
    subscribers = server.offer(Subscribers, Subscribers(server.database))
    server.in_flight.add_stream_end(subscribers.end)
    server.offer(Publisher, Publisher(server.database, subscribers, server.tasks))
    workers = SqlWorkers(server.data_dir / "axons")
    server.offer(SqlService, SqlService(server.database, workers))
    return Feature(
        routers=[Routes(event_router, Traffic.HIGH), Routes(sql_router), Routes(router)],
        tasks=[
            BackgroundTask("axon subscribers", subscribers.run),
            BackgroundTask("axon sql workers", workers.run),
        ],
        collectors=[AxonsKeeper(server.database, workers)],
    )
