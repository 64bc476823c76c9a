"""A server in this process: the application over a fake runtime and a store in memory, on an event loop of its own."""

import asyncio
import ssl
import threading
from collections.abc import Coroutine, Generator, Mapping
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import uvloop
from fastapi import FastAPI
from runloop_api_client import AsyncRunloop, Runloop

from loopyard.app import create_app
from loopyard.config import load
from loopyard.key.bootstrap import ensure_key
from loopyard.kit.db.database import Database
from tests.stores import put_empty_store
from tests.unit.fake_runtime.runtime import FakeRuntime, Host
from tests.unit.in_process.transport import AsyncInProcessTransport, InProcessTransport, Place

T = TypeVar("T")


class InProcessServer:
    """What tests know of a `ServerProcess`, without the process. `host` is the machine that its sandboxes are on."""

    def __init__(self, data_dir: Path, name: str = "loopyard", **settings: Any) -> None:
        self.data_dir = data_dir
        self.base_url = f"http://{name}.test"
        self.host = Host()
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._stack = AsyncExitStack()
        put_empty_store(data_dir / "loopyard.db")

    @property
    def api_key(self) -> str:
        return (self.data_dir / "api-key").read_text().strip()

    def client(self, **options: Any) -> Runloop:
        """The official client, pointed here."""
        options = {"max_retries": 0, **options}
        http = httpx.Client(transport=InProcessTransport(self.place), timeout=60)
        return Runloop(bearer_token=self.api_key, base_url=self.base_url, http_client=http, **options)

    def async_client(self, **options: Any) -> AsyncRunloop:
        """The official asynchronous client, pointed here."""
        options = {"max_retries": 0, **options}
        http = httpx.AsyncClient(transport=AsyncInProcessTransport(self.place), timeout=60)
        return AsyncRunloop(bearer_token=self.api_key, base_url=self.base_url, http_client=http, **options)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the server's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def start(self) -> "InProcessServer":
        if not self._thread.is_alive():
            self._thread.start()
        self.place = Place(self.run(self._start()), self._loop)
        return self

    async def _start(self) -> FastAPI:
        settings = load(data_dir=self.data_dir, **self._settings)
        database = Database(settings.store_url)
        self._stack.push_async_callback(database.close)
        await ensure_key(database, self.data_dir, None)
        runtime = FakeRuntime(self.host)
        await runtime.open()
        app = create_app(runtime, database, settings)
        await self._stack.enter_async_context(app.router.lifespan_context(app))
        return app

    def stop(self) -> None:
        """End it as SIGTERM does; what its host has stays."""
        self.run(self._stack.aclose())

    def restart(self) -> None:
        """Stop it, and start another over the same data folder and host."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it for good, and what runs on its host."""
        self.stop()
        self.run(self._clear())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _clear(self) -> None:
        for box in list(self.host.boxes.values()):
            await self.host.halt(box)
        await self._loop.shutdown_default_executor()


@contextmanager
def reached_by_name(servers: Mapping[str, InProcessServer]) -> Generator[None]:
    """Have httpx find servers of this process by their host names, and nothing else: for code that makes its own
    clients, as the official SDK and the command line do."""

    def place(request: httpx.Request) -> Place:
        if (server := servers.get(request.url.host)) is None:
            raise httpx.ConnectError(f"unit tests have no network: {request.url.host}", request=request)
        return server.place

    def handle(_: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        return InProcessTransport(place(request)).handle_request(request)

    async def handle_async(_: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        return await AsyncInProcessTransport(place(request)).handle_async_request(request)

    trusted = ssl.create_default_context()
    make, make_async = httpx.HTTPTransport.__init__, httpx.AsyncHTTPTransport.__init__

    def begin(transport: httpx.HTTPTransport, **options: Any) -> None:
        options["verify"] = trusted  # which takes longer to make than most requests
        make(transport, **options)

    def begin_async(transport: httpx.AsyncHTTPTransport, **options: Any) -> None:
        options["verify"] = trusted
        make_async(transport, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx.HTTPTransport, "__init__", begin)
        patch.setattr(httpx.AsyncHTTPTransport, "__init__", begin_async)
        patch.setattr(httpx.HTTPTransport, "handle_request", handle)
        patch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle_async)
        yield
