"""A server in this process, without sandboxes, and accounts that call it."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute

from loopyard.app import assemble, create_app
from loopyard.auth.operations import entry
from loopyard.config import Settings
from loopyard.feature import in_match_order
from loopyard.identity.models import Account
from loopyard.identity.scopes import Level, Resource, Scopes
from loopyard.key.bootstrap import ensure_key
from loopyard.key.service import make
from loopyard.kit.background.tasks import Tasks
from loopyard.kit.db.database import Database
from loopyard.kit.http.parts import Parts
from loopyard.kit.ids import new_id
from loopyard.object.store import ObjectStore
from tests.stores import put_empty_store
from tests.unit.fake_runtime.runtime import FakeRuntime, Host

BAD_BODY = b"[]"
"""JSON that no operation takes, so that none does anything."""


@dataclass(frozen=True, slots=True)
class World:
    """`key` is the server's own, of the first account."""

    app: FastAPI
    database: Database
    http: httpx.AsyncClient
    key: str
    account_id: str

    @property
    def parts(self) -> Parts:
        return self.app.state.parts

    async def account(self) -> tuple[str, str]:
        """Another account: its id, and a standard key of it."""
        account_id = new_id("acc")
        async with self.database.write() as session:
            session.add(Account(id=account_id, name="another", create_time_ms=1))
            _, secret = await make(session, account_id, None, None, None)
        return account_id, secret

    async def restricted(self, levels: Mapping[Resource, Level], account_id: str | None = None) -> tuple[str, str]:
        """A key with these rights: its id and its secret."""
        async with self.database.write() as session:
            row, secret = await make(session, account_id or self.account_id, None, None, Scopes(levels))
            return row.id, secret

    async def ask(self, key: str | None, method: str, path: str, **given: Any) -> httpx.Response:
        """One request with a key."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return await self.http.request(method, path, headers={**headers, **given.pop("headers", {})}, **given)


class _Builder:
    """Builds that do not end."""

    async def build(self, *_: Any) -> None:
        await asyncio.Event().wait()

    async def delete(self, *_: Any) -> None:
        pass


class _Runtime(FakeRuntime):
    @property
    def image_builder(self) -> Any:
        return _Builder()


@asynccontextmanager
async def world(folder: Path, **settings: Any) -> AsyncGenerator[World]:
    """A server over an empty store in `folder`. Its background work does not run."""
    given = Settings(data_dir=folder, **settings)
    put_empty_store(folder / "loopyard.db")
    database = Database(given.store_url)
    own = await ensure_key(database, folder, None)
    ssh = socket.socket()  # never listened on
    runtime = _Runtime(Host())
    await runtime.open()
    app = create_app(runtime, database, given, ssh)
    await app.state.parts.get(ObjectStore).open()
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        me = await http.get("/v1/accounts/me", headers={"Authorization": f"Bearer {own.value}"})
        yield World(app, database, http, own.value, me.json()["id"])
    await app.state.parts.get(Tasks).close()
    await database.close()
    ssh.close()


@dataclass(frozen=True, slots=True)
class Operation:
    """A route that wants an API key."""

    method: str
    path: str

    @property
    def entry(self) -> str:
        return entry(self.method, self.path)

    def at(self, ids: Mapping[str, str] | None = None) -> str:
        """The path, with ids of nothing where none are given."""
        place = self.path
        for name in [part[1:-1] for part in self.path.split("/") if part.startswith("{")]:
            place = place.replace(f"{{{name}}}", (ids or {}).get(name, "unknown"))
        return place


def routes() -> list[Operation]:
    """All that the API answers to."""
    with TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        server = assemble(FakeRuntime(Host()), Database(settings.store_url), settings)
    every = (route for router in in_match_order(server.features) for route in router.routes)
    found = [
        Operation(method, route.path_format)
        for route in every
        if isinstance(route, APIRoute)
        for method in route.methods or ()
        if method != "HEAD"
    ]
    return sorted(found, key=lambda each: (each.path, each.method))


OPERATIONS = [each for each in routes() if each.path.startswith("/v1/")]
"""Those that want an API key."""
