"""Assembly of a server from its features: its routes, and what happens at start and end."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from starlette.middleware import Middleware
from starlette.types import Scope

from loopyard.config import Settings
from loopyard.connections.bodies import StalledBodyMiddleware
from loopyard.feature import Server, in_match_order, in_order
from loopyard.features import FEATURES
from loopyard.health import router as health_router
from loopyard.kit.db.database import Database
from loopyard.kit.http import error_handlers, openapi
from loopyard.kit.http.in_flight import InFlightMiddleware
from loopyard.kit.http.paths import refuse_impossible
from loopyard.runtime.protocol import Runtime
from loopyard.upkeep.sweep import Sweep
from loopyard.version import VERSION
from loopyard.welcome import router as welcome_router


def create_app(
    runtime: Runtime, database: Database, settings: Settings, ssh_listener: socket.socket | None = None
) -> FastAPI:
    """Build a server on an opened runtime and a migrated store. Its lifespan reconciles them, and closes its own work.

    `ssh_listener` is a bound socket for SSH; None for no SSH.
    """
    server = assemble(runtime, database, settings, ssh_listener)
    features = server.features

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with database.write() as session:
            for seed in [seed for feature in features for seed in feature.seeds]:
                await seed(session)
        for reconciler in in_order([one for feature in features for one in feature.reconcilers]):
            await reconciler.run()
        for opener in [opener for feature in features for opener in feature.openers]:
            await opener()
        for task in [task for feature in features for task in feature.tasks]:
            server.tasks.start(task.name, task.run())
        yield
        for flush in [flush for feature in reversed(features) for flush in feature.flushes]:
            await flush()
        await server.tasks.close()

    app = FastAPI(
        title="Loopyard",
        version=VERSION,
        summary="Agent sandboxes and agent evaluation behind the Runloop API",
        lifespan=lifespan,
        dependencies=[Depends(refuse_impossible)],
        middleware=[  # the first is the outermost
            Middleware(InFlightMiddleware, requests=server.in_flight),
            *(middleware for feature in reversed(features) for middleware in feature.middleware),
            Middleware(StalledBodyMiddleware, seconds=settings.connections.body_seconds),
        ],
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.parts = server.parts
    app.state.has_console = settings.console.enabled
    error_handlers.install(app)
    for router in (health_router, welcome_router, *in_match_order(features)):
        app.include_router(router)
    app.router.routes.extend(route for feature in features for route in feature.routes)
    openapi.install(app)
    for path, application in [mount for feature in features for mount in feature.mounts.items()]:
        app.mount(path, application)
    return app


async def build_routes(app: FastAPI) -> None:
    """Have the routes built, router by router. FastAPI builds those of a router when a request first comes by it: the
    first request to a path that nobody has would stand there until all are built, a quarter of a second, and all others
    with it."""
    nowhere: Scope = {"type": "http", "method": "GET", "path": "/", "root_path": "", "headers": []}
    for route in app.router.routes:
        route.matches(dict(nowhere))
        await asyncio.sleep(0)


def sweep_of(runtime: Runtime, database: Database, settings: Settings) -> Sweep:
    """Return the garbage collection for hosts where no server runs, on an opened runtime and a migrated store."""
    return assemble(runtime, database, settings).get(Sweep)


def assemble(
    runtime: Runtime, database: Database, settings: Settings, ssh_listener: socket.socket | None = None
) -> Server:
    """Build all features, on an opened runtime and a migrated store."""
    server = Server(runtime, database, settings.data_dir, ssh_listener)
    for build in FEATURES:
        server.features.append(build(server, settings))
    return server
