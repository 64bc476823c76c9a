"""Starts a server in this process, in an order that a crash cannot break, and ends it cleanly."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import uvicorn
import uvloop
from fastapi import FastAPI
from rich.console import Console
from rich.markup import escape
from sqlalchemy.exc import DBAPIError
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from loopyard.app import build_routes, create_app
from loopyard.config import Settings
from loopyard.connections.limits import ConnectionLimits, raise_open_files
from loopyard.data_folder import StartFailed, hold_data_folder
from loopyard.devbox.ssh.config import SshConfig
from loopyard.http2.connection import Connection
from loopyard.http2.switching import limited
from loopyard.key.bootstrap import KEY_FILE, BootstrapKey, ensure_key
from loopyard.kit.background.periodic import Periodic
from loopyard.kit.db.database import Database
from loopyard.kit.host.allocator import use_one_arena
from loopyard.kit.host.garbage import IdleCollections
from loopyard.kit.http.in_flight import InFlightRequests
from loopyard.kit.http.server_address import ServerAddress
from loopyard.kit.http.sse import MARK
from loopyard.runtime.errors import RuntimeUnavailable
from loopyard.runtime.factory import open_runtime
from loopyard.store import migrate
from loopyard.upkeep.provider import claim

_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 75
"""How long a connection stays open that nobody uses: longer than clients keep theirs, which is 5 s for the official
ones and 15 s for others. A request on a connection that is just being closed would be lost."""
_GRACE_SECONDS = 5
"""How long requests are given to end, when the server does."""
_PATIENCE_SECONDS = 2
"""How long after that they are given to notice that they have to."""
_LAST_MESSAGE_SECONDS = 1.0
"""How long streams are given to tell their readers that the server ends."""
_COLLECTION_SECONDS = 60.0
"""How often garbage may be collected that has lived for long."""
_DRIVER_SECONDS = 0.1
"""How long the database's driver is given to end its threads after a failure: they still speak to the loop."""

err = Console(stderr=True, highlight=False, soft_wrap=True)


def run(settings: Settings, host: str, port: int, log_level: str) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit status: 0 after a clean end, 1 if it could not start."""
    use_one_arena()
    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    raise_open_files()
    try:
        with (
            hold_data_folder(settings.data_dir),
            _listen(host, port) as listener,
            _listen_for_ssh(host, settings.ssh) as ssh_listener,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(_serve(settings, listener, ssh_listener, log_level))
    except asyncio.CancelledError:  # told to end while it was starting
        return 0
    except (StartFailed, RuntimeUnavailable) as error:
        tell_failure(error)
        return 1
    return 0


class _Server(uvicorn.Server):
    """Ends with the signal instead of passing it on afterwards, which would end the process before all is closed."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app
        self._requests: InFlightRequests = app.state.parts.get(InFlightRequests)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._settling = asyncio.create_task(self._settle())

    async def _settle(self) -> None:
        """Do what is left over from the start, then collect garbage, for ever."""
        await build_routes(self._app)
        collections = IdleCollections(self._requests.count)
        collections.begin()
        await Periodic("collecting garbage", collections.collect, every=_COLLECTION_SECONDS, at_once=False).run()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._settling.cancel()
        self._requests.end_waiting()
        await self._requests.end_streams(_LAST_MESSAGE_SECONDS)
        for connection in self.server_state.connections:
            if isinstance(connection, HttpToolsProtocol) and MARK in _scope(connection):
                connection.transport.close()
            elif isinstance(connection, Connection):
                connection.cut(MARK)
        late = asyncio.get_running_loop().call_later(_GRACE_SECONDS, self._end_rest)
        try:
            await super().shutdown(sockets)
        finally:
            late.cancel()

    def _end_rest(self) -> None:
        """End what has not ended by itself. Answers under way cannot be taken back: the end of the connection, before
        theirs, tells that they are not whole."""
        self._requests.end_all()
        for connection in list(self.server_state.connections):
            if isinstance(connection, HttpToolsProtocol) and connection.cycle and connection.cycle.response_started:
                connection.transport.abort()
            elif isinstance(connection, Connection):
                connection.abort_if_answering()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        _at_signals(lambda: self.handle_exit(signal.SIGTERM, None))
        yield


def _scope(connection: HttpToolsProtocol) -> Mapping[str, Any]:
    """Scope of the connection's newest request; None before the first."""
    return cast("Mapping[str, Any]", connection.cycle.scope) if connection.cycle else {}


def _at_signals(end: Callable[[], object]) -> None:
    """Have `end` called at SIGTERM and SIGINT, from now on."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end)


def tell_failure(error: Exception) -> None:
    """Say why the server does not start."""
    err.print("[bold red]Loopyard cannot start.[/]", escape(str(error)))


async def _serve(
    settings: Settings, listener: socket.socket, ssh_listener: socket.socket | None, log_level: str
) -> None:
    if (starting := asyncio.current_task()) is not None:
        _at_signals(starting.cancel)  # until there is a server that can be told to end
    database = Database(settings.store_url)
    try:
        await _prepare_store(database)
        configured = settings.api_key.get_secret_value() if settings.api_key else None
        key = await ensure_key(database, settings.data_dir, configured)
        await claim(settings.data_dir, database, settings.runtime.type)
        runtime = await open_runtime(settings.runtime, settings.data_dir)
        try:
            app = create_app(runtime, database, settings, ssh_listener)
            config = uvicorn.Config(
                app,
                log_config=None,  # its own would write accesses to standard output, where a full pipe stops the server
                log_level=log_level,
                access_log=log_level == "debug",
                http=limited(ConnectionLimits(settings.connections)),
                ws="websockets-sansio",
                backlog=_BACKLOG,
                timeout_graceful_shutdown=_GRACE_SECONDS + _PATIENCE_SECONDS,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                server_header=False,
            )
            server = _Server(config, app)
            app.state.parts.get(ServerAddress).listens(*listener.getsockname()[:2])
            _announce(listener, key, settings)
            await server.serve([listener])
        finally:
            await runtime.close()
    finally:
        await database.close()


async def _prepare_store(database: Database) -> None:
    try:
        await migrate.upgrade(database)
    except (OSError, DBAPIError) as error:
        shown = database.engine.url.render_as_string(hide_password=True)
        await asyncio.sleep(_DRIVER_SECONDS)
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise StartFailed(f"The database {shown} cannot be used: {reason}") from error


def _announce(listener: socket.socket, key: BootstrapKey, settings: Settings) -> None:
    """Say where the server is, and at the first start the two lines that a client needs."""
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    lines = [f"Loopyard listens on {url}"]
    if key.fresh:
        lines += [f"export RUNLOOP_BASE_URL={url}", f"export RUNLOOP_API_KEY={key.value}"]
    else:
        lines += [f"The API key is in {settings.data_dir / KEY_FILE}"]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


@contextmanager
def _listen(host: str, port: int, option: str = "--port") -> Generator[socket.socket]:
    """A bound socket, taken before anything else is started so that a used port is told at once."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)  # from here on clients wait for the server rather than being refused
    except OSError as error:
        raise StartFailed(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another by {option}.") from error
    with listener:
        yield listener


@contextmanager
def _listen_for_ssh(host: str, config: SshConfig) -> Generator[socket.socket | None]:
    """A bound socket for SSH; None if it is switched off."""
    if not config.enabled:
        yield None
        return
    with ExitStack() as stack:
        try:
            listener = stack.enter_context(_listen(host, config.port, "LOOPYARD_SSH__PORT"))
        except StartFailed:
            if not config.may_move:
                raise
            listener = stack.enter_context(_listen(host, 0))
        logging.getLogger("loopyard.ssh").info("SSH listens on port %d", listener.getsockname()[1])
        yield listener
