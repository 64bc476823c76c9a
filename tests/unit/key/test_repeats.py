"""Requests for keys that are repeated: one key, and one secret, which is kept nowhere."""

from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from loopyard.identity.scopes import Level, Resource
from loopyard.key.repeats import KEY_FILE, RepeatedSecrets
from loopyard.key.service import KeyService
from loopyard.kit.idempotency import RequestIdentity
from tests.unit.auth.world import World, world

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

_KEPT = ("SELECT * FROM api_key", "SELECT * FROM idempotency_key")
SCOPES = [{"resource_type": "RESOURCE_TYPE_OBJECTS", "access_level": "ACCESS_LEVEL_READ"}]
WAYS = [("/v1/apikeys", {"name": "ci"}, "ak_"), ("/v1/restricted_keys", {"name": "ci", "scopes": SCOPES}, "rk_")]


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    async with world(tmp_path_factory.mktemp("repeats")) as made:
        yield made


async def _ask(made: World, request_id: str | None, path: str, body: object, key: str | None = None) -> httpx.Response:
    headers = {} if request_id is None else {"x-request-id": request_id}
    return await made.ask(key or made.key, "POST", path, json=body, headers=headers)


@pytest.mark.parametrize(("path", "body", "prefix"), WAYS)
async def test_a_repeat_is_told_the_same_key(shared: World, path: str, body: object, prefix: str) -> None:
    first = await _ask(shared, f"same{path}", path, body)
    again = await _ask(shared, f"same{path}", path, body)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    secret = first.json()["key_secret"]
    assert secret.startswith(prefix)
    assert len(secret) == len((await _ask(shared, None, path, body)).json()["key_secret"])
    assert (await shared.ask(secret, "GET", "/v1/objects")).status_code == 200
    async with shared.database.read() as session:
        rows = [(await session.execute(text(query))).all() for query in _KEPT]
    assert secret not in str(rows)
    assert str(rows).count(first.json()["id"]) == 2


@pytest.mark.parametrize(("path", "body", "prefix"), WAYS)
async def test_other_requests_make_other_keys(shared: World, path: str, body: object, prefix: str) -> None:
    made = [(await _ask(shared, name, path, body)).json() for name in (f"a{path}", f"b{path}", None, None)]
    assert len({one["id"] for one in made}) == len({one["key_secret"] for one in made}) == 4
    assert all(one["key_secret"].startswith(prefix) for one in made)


async def test_another_body_is_refused(shared: World) -> None:
    assert (await _ask(shared, "body", "/v1/apikeys", {"name": "one"})).status_code == 200
    refused = await _ask(shared, "body", "/v1/apikeys", {"name": "two"})
    assert (refused.status_code, refused.json()["code"]) == (409, "request_id_reused")


async def test_nobody_else_is_told_the_secret(shared: World) -> None:
    path, body, _ = WAYS[1]
    made = (await _ask(shared, "mine", path, body)).json()
    _, other = await shared.restricted({Resource.ACCOUNT: Level.WRITE, Resource.OBJECTS: Level.WRITE})
    refused = await _ask(shared, "mine", path, body, key=other)
    assert (refused.status_code, refused.json()["code"]) == (409, "request_id_reused")
    assert made["key_secret"] not in refused.text
    _, foreign = await shared.account()
    assert (await _ask(shared, "mine", path, body, key=foreign)).json()["id"] != made["id"]


async def test_a_refused_request_claims_nothing(shared: World) -> None:
    assert (await _ask(shared, "late", "/v1/apikeys", {"expires_at_ms": 1})).status_code == 400
    assert (await _ask(shared, "late", "/v1/apikeys", {})).status_code == 200


async def test_a_server_on_another_data_folder_says_that_it_cannot_tell(
    shared: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = (await _ask(shared, "moved", "/v1/apikeys", {})).json()
    monkeypatch.setattr(shared.parts.get(KeyService), "_secrets", RepeatedSecrets(tmp_path))
    refused = await _ask(shared, "moved", "/v1/apikeys", {})
    assert refused.status_code == 409
    assert made["id"] in refused.json()["message"]
    assert "Delete that key" in refused.json()["message"]


def test_secrets_outlive_the_server_and_are_bound_to_key_and_request(tmp_path: Path) -> None:
    request = RequestIdentity("r", "d")
    first = RepeatedSecrets(tmp_path).secret("key_1", request)
    assert RepeatedSecrets(tmp_path).secret("key_1", request) == first
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    others = [("key_2", request), ("key_1", RequestIdentity("s", "d")), ("key_1", RequestIdentity("r", "e"))]
    told = {RepeatedSecrets(tmp_path).secret(*other) for other in others}
    assert len(told | {first}) == 4
    assert RepeatedSecrets(tmp_path).secret("key_1", None) != RepeatedSecrets(tmp_path).secret("key_1", None)
