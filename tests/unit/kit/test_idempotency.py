"""Keys of requests: what identifies a request, who owns a key, and when it is forgotten."""

from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from loopyard.kit import idempotency
from loopyard.kit.clock import now_ms
from loopyard.kit.db.database import Database
from loopyard.kit.errors import RequestKeyReused
from loopyard.kit.host.host_room import HostRoom
from loopyard.kit.http import error_handlers
from loopyard.kit.http.parts import Parts
from loopyard.kit.idempotency import KEEP_MS, IdempotencyKey, RequestIdentity, RequestKey, claim

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(tmp_path: Path) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of endpoints that tell how a request is identified."""
    app = FastAPI()
    app.state.parts = Parts()
    app.state.parts.add(HostRoom, HostRoom(tmp_path))
    error_handlers.install(app)

    async def told(request: RequestKey = None) -> list[str] | None:
        return None if request is None else [request.key, request.digest]

    app.add_api_route("/a", told, methods=["POST", "PUT"])
    app.add_api_route("/b", told, methods=["POST"])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


async def _digest(client: httpx.AsyncClient, path: str = "/a", body: bytes = b"{}", method: str = "POST") -> str:
    answer = await client.request(method, path, content=body, headers={"x-request-id": "key"})
    key, digest = answer.json()
    assert key == "key"
    return digest


async def test_a_request_is_its_method_path_and_body(client: httpx.AsyncClient) -> None:
    digest = await _digest(client)
    assert len(digest) == 32
    assert int(digest, 16) >= 0
    assert await _digest(client) == digest
    others = [
        await _digest(client, path="/b"),
        await _digest(client, body=b"{} "),
        await _digest(client, body=b""),
        await _digest(client, method="PUT"),
    ]
    assert len({digest, *others}) == 5


async def test_a_query_is_no_part_of_it(client: httpx.AsyncClient) -> None:
    assert await _digest(client, path="/a?one=1") == await _digest(client)


async def test_the_digest_is_the_one_that_stores_have(client: httpx.AsyncClient) -> None:
    assert await _digest(client) == "57de7d1824a410525a05be62e77e8708"


async def test_without_a_usable_key_a_request_is_not_identified(client: httpx.AsyncClient) -> None:
    assert (await client.post("/a")).json() is None
    assert (await client.post("/a", headers={"x-request-id": "a\x00b"})).json() is None


@pytest.mark.parametrize(("length", "status"), [(255, 200), (256, 400)])
async def test_a_key_has_at_most_255_characters(client: httpx.AsyncClient, length: int, status: int) -> None:
    assert (await client.post("/a", headers={"x-request-id": "k" * length})).status_code == status


async def test_nothing_is_begun_on_a_full_disk(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def has_room(_: Path) -> bool:
        return False

    monkeypatch.setattr("loopyard.kit.host.host_room.has_room", has_room)
    assert (await client.post("/a")).status_code == 507


ONE, OTHER = RequestIdentity("key", "1" * 32), RequestIdentity("key", "2" * 32)


async def _claim(
    database: Database, made: str, request: RequestIdentity | None = ONE, *, account: str = "acc_1", what: str = "make"
) -> str:
    async with database.write() as session:
        return await claim(session, account, what, request, made)


async def test_the_first_request_owns_the_key_and_repeats_find_what_it_made(database: Database) -> None:
    assert await _claim(database, "dbx_1") == "dbx_1"
    assert await _claim(database, "dbx_2") == "dbx_1"
    assert await _claim(database, "dbx_3") == "dbx_1"
    async with database.read() as session:
        (row,) = (await session.scalars(select(IdempotencyKey))).all()
    kept = (row.account_id, row.operation, row.key, row.resource_id, row.digest)
    assert kept == ("acc_1", "make", "key", "dbx_1", "1" * 32)
    assert abs(now_ms() - row.create_time_ms) < 60_000


async def test_requests_without_a_key_are_not_kept(database: Database) -> None:
    assert await _claim(database, "dbx_1", None) == "dbx_1"
    assert await _claim(database, "dbx_2", None) == "dbx_2"
    async with database.read() as session:
        assert (await session.scalars(select(IdempotencyKey))).all() == []


async def test_a_key_is_one_of_an_account_and_an_operation(database: Database) -> None:
    assert await _claim(database, "dbx_1") == "dbx_1"
    assert await _claim(database, "dbx_2", account="acc_2") == "dbx_2"
    assert await _claim(database, "dbx_3", what="copy") == "dbx_3"
    assert await _claim(database, "dbx_4", RequestIdentity("another", ONE.digest)) == "dbx_4"
    assert await _claim(database, "dbx_5", account="acc_2") == "dbx_2"


async def test_another_request_with_the_key_is_refused(database: Database) -> None:
    await _claim(database, "dbx_1")
    with pytest.raises(RequestKeyReused, match="key"):
        await _claim(database, "dbx_2", OTHER)
    assert await _claim(database, "dbx_3") == "dbx_1"


async def test_keys_of_before_digests_fit_every_request(database: Database) -> None:
    await _claim(database, "dbx_1")
    async with database.write() as session:
        (row,) = (await session.scalars(select(IdempotencyKey))).all()
        row.digest = None
    assert await _claim(database, "dbx_2", OTHER) == "dbx_1"


async def test_a_key_is_forgotten_after_a_day(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_800_000_000_000
    monkeypatch.setattr(idempotency, "now_ms", lambda: now)
    await _claim(database, "dbx_1")
    await _claim(database, "dbx_2", RequestIdentity("other", "3" * 32))
    assert KEEP_MS == 86_400_000
    async with database.write() as session:
        monkeypatch.setattr(idempotency, "now_ms", lambda: now + KEEP_MS)
        assert not await idempotency.has_old(session)
        await idempotency.forget_old(session)
        assert len((await session.scalars(select(IdempotencyKey))).all()) == 2
        monkeypatch.setattr(idempotency, "now_ms", lambda: now + KEEP_MS + 1)
        assert await idempotency.has_old(session)
        await idempotency.forget_old(session)
        assert not await idempotency.has_old(session)
        assert (await session.scalars(select(IdempotencyKey))).all() == []
