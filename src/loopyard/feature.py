"""Features of a server: what each package hands to the application, which assembles a server by a loop over them.

A package has a module `feature.py` with one function `build`. It makes the package's long-lived objects, offers those
that endpoints or other features use, and returns a `Feature`. CONTRIBUTING.md shows how to add one.
"""

import socket
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, TypeVar

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from loopyard.kit.background.tasks import Tasks
from loopyard.kit.db.changes import Changes
from loopyard.kit.db.database import Database
from loopyard.kit.host.host_room import HostRoom
from loopyard.kit.http.in_flight import InFlightRequests
from loopyard.kit.http.parts import Parts
from loopyard.kit.http.server_address import ServerAddress
from loopyard.runtime.protocol import Runtime
from loopyard.runtime.upkeep import Keeper

T = TypeVar("T")


class Traffic(IntEnum):
    """How often routes are called. A path is looked for in one route after the other, so the busiest stand first."""

    CONSTANT = 0
    """Many times for each scenario run, as its state is polled."""
    HIGH = 1
    """For each command or event."""
    NORMAL = 2
    """A few times for each devbox."""
    LOW = 3
    """By people and scripts that set things up."""


@dataclass(frozen=True, slots=True)
class Routes:
    """A router, and how busy it is. Routers with equal traffic keep the order in which they were given."""

    router: APIRouter
    traffic: Traffic = Traffic.LOW


@dataclass(frozen=True, slots=True)
class Reconciler:
    """A function that makes the store and the host agree at start, before any request is answered.

    `after` names the reconcilers that must have run before; the feature says why. Others run in any order.
    """

    name: str
    run: Callable[[], Awaitable[None]]
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BackgroundTask:
    """Work that runs from the end of the reconciliation until the server ends; then it is canceled."""

    name: str
    run: Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """Everything that a server has of one package, in the order of its use."""

    routers: Sequence[Routes] = ()
    routes: Sequence[BaseRoute] = ()
    """Routes of other kinds, such as WebSockets; they are looked for after all routers."""
    mounts: Mapping[str, ASGIApp] = field(default_factory=dict[str, ASGIApp])
    """Applications of their own, each below a path."""
    middleware: Sequence[Middleware] = ()
    """Middleware around all routes, and around that of earlier features."""
    seeds: Sequence[Callable[[AsyncSession], Awaitable[object]]] = ()
    """Writers of the rows that each account finds. All run in one transaction, before the reconcilers."""
    reconcilers: Sequence[Reconciler] = ()
    openers: Sequence[Callable[[], Awaitable[None]]] = ()
    """Functions that run once all is reconciled, before background tasks."""
    tasks: Sequence[BackgroundTask] = ()
    flushes: Sequence[Callable[[], Awaitable[None]]] = ()
    """Functions that finish or write what is in memory, when the server ends. Those of later features run first."""
    collectors: Sequence[Keeper] = ()
    """Garbage collectors. Those of earlier features free first: what they free may be the last use of something."""


class Server:
    """The server under construction: what all features use, and what they offer one another."""

    def __init__(
        self, runtime: Runtime, database: Database, data_dir: Path, ssh_listener: socket.socket | None = None
    ) -> None:
        """`ssh_listener` is a bound socket; None for no SSH."""
        self.parts = Parts()
        self.features: list[Feature] = []
        """Features built so far."""
        self.runtime = self.offer(Runtime, runtime)
        self.database = self.offer(Database, database)
        self.data_dir = data_dir
        self.ssh_listener = ssh_listener
        self.changes = self.offer(Changes, Changes())
        self.tasks = self.offer(Tasks, Tasks())
        self.in_flight = self.offer(InFlightRequests, InFlightRequests())
        self.address = self.offer(ServerAddress, ServerAddress())
        self.offer(HostRoom, HostRoom(data_dir))

    def offer(self, kind: type[T], part: T) -> T:
        """Let endpoints and later features have an object by its class or protocol."""
        return self.parts.add(kind, part)

    def get(self, kind: type[T]) -> T:
        """Return what an earlier feature offers.

        Raises:
            LookupError: None offers it.
        """
        return self.parts.get(kind)


def in_match_order(features: Sequence[Feature]) -> list[APIRouter]:
    """List the routers of features in the order in which paths are looked for."""
    routes = [one for feature in features for one in feature.routers]
    return [one.router for one in sorted(routes, key=lambda one: one.traffic)]


def in_order(reconcilers: Sequence[Reconciler]) -> list[Reconciler]:
    """Sort reconcilers so that each comes after those that it names.

    Raises:
        ValueError: Two have one name, one names an unknown one, or they wait for each other.
    """
    by_name = {one.name: one for one in reconcilers}
    if len(by_name) < len(reconcilers):
        raise ValueError("two reconcilers have one name")
    if unknown := {name for one in reconcilers for name in one.after} - by_name.keys():
        raise ValueError(f"there is no reconciler {', '.join(sorted(unknown))}")
    order = TopologicalSorter({one.name: one.after for one in reconcilers}).static_order()
    return [by_name[name] for name in order]
