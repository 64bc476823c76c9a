"""Keys: made, listed, used, expired and revoked."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from sqlalchemy import text

from loopyard.auth.authenticator import Authenticator, RefusedKey
from loopyard.auth.live import LiveConnections
from loopyard.auth.watch import KeyWatch
from loopyard.identity.digest import digest
from loopyard.identity.models import Account
from loopyard.identity.repository import ApiKeyRepository
from loopyard.identity.scopes import Level, Resource, Scopes
from loopyard.key.bootstrap import ensure_key
from loopyard.key.service import KeyService, make, take_back
from loopyard.kit.clock import now_ms
from loopyard.kit.http.in_flight import InFlightRequests
from tests.unit.auth.world import World, world

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

_ME = "/v1/accounts/me"


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    async with world(tmp_path_factory.mktemp("keys")) as made:
        yield made


async def test_a_key_is_shown_once_and_only_its_digest_is_kept(shared: World) -> None:
    ends = now_ms() + 60_000
    answer = await shared.ask(shared.key, "POST", "/v1/apikeys", json={"name": "ci", "expires_at_ms": ends})
    made = answer.json()
    assert made["id"].startswith("key_")
    assert (made["name"], made["expires_at_ms"]) == ("ci", ends)
    secret = made["key_secret"]
    assert secret.startswith("ak_")
    assert len(secret) > 40
    async with shared.database.read() as session:
        rows = (await session.execute(text("SELECT * FROM api_key"))).all()
    assert secret not in str(rows)
    assert digest(secret) in str(rows)
    assert (await shared.ask(secret, "GET", _ME)).json()["id"] == shared.account_id
    listed = await shared.ask(secret, "GET", "/v1/apikeys")
    assert secret not in listed.text
    shown = next(one for one in listed.json()["api_keys"] if one["id"] == made["id"])
    assert shown["scopes"] is None
    assert shown["made_by"] == next(one["id"] for one in listed.json()["api_keys"] if one["of_server"])


async def test_a_restricted_key_says_its_scopes(shared: World) -> None:
    scopes = [
        {"resource_type": "RESOURCE_TYPE_OBJECTS", "access_level": "ACCESS_LEVEL_READ"},
        {"resource_type": "RESOURCE_TYPE_AGENTS", "access_level": "ACCESS_LEVEL_NONE"},
    ]
    made = (await shared.ask(shared.key, "POST", "/v1/restricted_keys", json={"scopes": scopes})).json()
    assert made["key_secret"].startswith("rk_")
    assert made["scopes"] == scopes[:1]
    assert (await shared.ask(made["key_secret"], "GET", "/v1/objects")).status_code == 200
    assert (await shared.ask(made["key_secret"], "GET", "/v1/agents")).status_code == 403


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"expires_at_ms": 1}, "expires_at_ms"),
        ({"expires_at_ms": 0}, "expires_at_ms"),
        ({"expires_at_ms": 2**63}, "expires_at_ms"),
        ({"expires_at_ms": "soon"}, "expires_at_ms"),
        ({"name": "x" * 1025}, "name"),
        ({"name": "\x00"}, "name"),
        ({"scopes": [{"resource_type": "RESOURCE_TYPE_OBJECTS"}]}, "scopes.0.access_level"),
        ({"scopes": [{"access_level": "ACCESS_LEVEL_READ"}]}, "scopes.0.resource_type"),
        ({"scopes": [{"resource_type": "RESOURCE_TYPE_ALL", "access_level": "ACCESS_LEVEL_READ"}]}, None),
        ({"scopes": [{"resource_type": "RESOURCE_TYPE_OBJECTS", "access_level": "ACCESS_LEVEL_READ"}] * 2}, "scopes"),
        ({"scopes": "everything"}, "scopes"),
    ],
    ids=range(11),
)
async def test_what_cannot_be_is_refused(shared: World, body: dict[str, object], field: str | None) -> None:
    answer = await shared.ask(shared.key, "POST", "/v1/restricted_keys", json=body)
    assert answer.status_code == 400
    assert field is None or answer.json()["field"] == field


async def test_a_revoked_key_is_refused_at_once_and_told_so(shared: World) -> None:
    made = (await shared.ask(shared.key, "POST", "/v1/apikeys")).json()
    assert (await shared.ask(made["key_secret"], "GET", _ME)).status_code == 200
    assert (await shared.ask(made["key_secret"], "DELETE", f"/v1/apikeys/{made['id']}")).status_code == 200
    refused = await shared.ask(made["key_secret"], "GET", _ME)
    assert refused.status_code == 401
    assert "revoked" in refused.json()["message"]
    assert (await shared.ask(shared.key, "DELETE", f"/v1/apikeys/{made['id']}")).status_code == 404
    assert made["id"] not in (await shared.ask(shared.key, "GET", "/v1/apikeys")).text


async def test_the_servers_own_key_cannot_be_revoked(shared: World) -> None:
    listed = (await shared.ask(shared.key, "GET", "/v1/apikeys?limit=5000")).json()["api_keys"]
    own = [one["id"] for one in listed if one["of_server"]]
    refused = await shared.ask(shared.key, "DELETE", f"/v1/apikeys/{own[0]}")
    assert len(own) == 1
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    assert refused.headers["x-should-retry"] == "false"


async def test_keys_are_listed_page_by_page(shared: World) -> None:
    for _ in range(3):
        await shared.ask(shared.key, "POST", "/v1/apikeys")
    whole = (await shared.ask(shared.key, "GET", "/v1/apikeys?limit=5000")).json()
    ids = [one["id"] for one in whole["api_keys"]]
    assert (whole["total_count"], whole["has_more"], ids) == (len(ids), False, sorted(ids, reverse=True))
    first = (await shared.ask(shared.key, "GET", "/v1/apikeys?limit=2")).json()
    assert first["has_more"]
    rest = await shared.ask(shared.key, "GET", f"/v1/apikeys?limit=5000&starting_after={ids[1]}")
    assert [one["id"] for one in first["api_keys"] + rest.json()["api_keys"]] == ids


async def test_a_key_that_the_operator_sets_replaces_the_servers_own_and_no_other(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        other = (await made.ask(made.key, "POST", "/v1/apikeys")).json()["key_secret"]
        await ensure_key(made.database, tmp_path, "chosen")
        await KeyWatch(made.database, made.parts.get(Authenticator)).look()
        answers = [(await made.ask(key, "GET", _ME)).status_code for key in (made.key, other, "chosen")]
        assert answers == [401, 200, 200]
        await ensure_key(made.database, tmp_path, made.key)  # and back
        await ensure_key(made.database, tmp_path, None)
        answers = [(await made.ask(key, "GET", _ME)).status_code for key in (made.key, other)]
        assert answers == [200, 200]
        async with made.database.read() as session:
            assert [one.digest for one in await ApiKeyRepository(session).list_of_server()] == [digest(made.key)]


class _Clock:
    def __init__(self) -> None:
        self.ms = now_ms()

    def __call__(self) -> int:
        return self.ms


async def test_a_key_in_use_expires_on_time_and_ends_what_it_holds_open(shared: World) -> None:
    clock, live = _Clock(), LiveConnections(InFlightRequests())
    authenticator = Authenticator(shared.database, live, clock)
    async with shared.database.write() as session:
        row, secret = await make(session, shared.account_id, None, clock.ms + 60_000, None)
        key_id = row.id
    ended: list[str] = []
    await authenticator.caller(secret)
    with live.holding(key_id, lambda: ended.append(key_id)):
        clock.ms += 59_999
        await authenticator.caller(secret)
        assert await authenticator.is_good(key_id)
        clock.ms += 1
        with pytest.raises(RefusedKey, match="expired"):
            await authenticator.caller(secret)
        assert not await authenticator.is_good(key_id)
        await KeyWatch(shared.database, authenticator).look()
        assert ended == [key_id]


async def test_what_another_process_revokes_is_noticed_by_the_next_look(shared: World) -> None:
    live = LiveConnections(InFlightRequests())
    authenticator = Authenticator(shared.database, live)
    watch = KeyWatch(shared.database, authenticator)
    async with shared.database.write() as session:
        row, secret = await make(session, shared.account_id, None, None, None)
    ended: list[str] = []
    caller = await authenticator.caller(secret)
    with live.holding(row.id, lambda: ended.append(row.id)):
        await watch.look()
        assert (await authenticator.caller(secret), ended) == (caller, [])
        async with shared.database.write() as session:
            found = await ApiKeyRepository(session).get_valid_for_update(row.id)
            assert found is not None
            await take_back(session, found)
        await watch.look()
        assert ended == [row.id]
    with pytest.raises(RefusedKey, match="revoked"):
        await authenticator.caller(secret)


async def test_what_is_opened_while_its_key_ends_is_ended_by_the_next_look(shared: World) -> None:
    live = LiveConnections(InFlightRequests())
    authenticator = Authenticator(shared.database, live)
    async with shared.database.write() as session:
        row, _ = await make(session, shared.account_id, None, None, None)
        await take_back(session, row)
        row.revoked_at_ms = 1  # long before the watch looks back to
    ended: list[str] = []
    with live.holding(row.id, lambda: ended.append(row.id)):
        await KeyWatch(shared.database, authenticator).look()
    assert ended == [row.id]


async def test_a_disabled_account_is_refused_and_comes_back(shared: World) -> None:
    account_id, secret = await shared.account()
    watch = KeyWatch(shared.database, shared.parts.get(Authenticator))
    for disabled_at, status in ((None, 200), (now_ms(), 403), (None, 200)):
        async with shared.database.write() as session:
            account = await session.get(Account, account_id)
            assert account is not None
            account.disabled_at_ms, account.changed_at_ms = disabled_at, now_ms() + status
        await watch.look()
        answer = await shared.ask(secret, "GET", _ME)
        assert answer.status_code == status
        assert status == 200 or answer.json()["code"] == "account_disabled"


async def test_uses_are_written_down_together_and_not_with_each_request(shared: World) -> None:
    live = LiveConnections(InFlightRequests())
    authenticator = Authenticator(shared.database, live)
    watch = KeyWatch(shared.database, authenticator)
    async with shared.database.write() as session:
        row, secret = await make(session, shared.account_id, None, None, None)
    before = now_ms()
    for _ in range(100):
        await authenticator.caller(secret)
    assert await _last_used(shared, row.id) is None
    await watch.note_uses()
    used = await _last_used(shared, row.id)
    assert used is not None
    assert before <= used <= now_ms()
    assert authenticator.take_uses() == {}


async def test_a_key_that_is_lent_to_a_process_is_narrow_and_ends_when_it_is_dropped(shared: World) -> None:
    keys = shared.parts.get(KeyService)
    scopes = Scopes({Resource.OBJECTS: Level.READ})
    async with shared.database.write() as session:
        lent = await keys.lend(session, shared.account_id, "a job", now_ms() + 60_000, scopes, None)
    answers = [(await shared.ask(lent, "GET", path)).status_code for path in ("/v1/objects", "/v1/secrets")]
    assert answers == [200, 403]
    async with shared.database.write() as session:
        await keys.drop(session, shared.account_id, "a job")
        await keys.drop(session, shared.account_id, "server")  # the server's own is never dropped
    assert (await shared.ask(lent, "GET", "/v1/objects")).status_code == 401
    assert (await shared.ask(shared.key, "GET", "/v1/objects")).status_code == 200


async def _last_used(shared: World, key_id: str) -> int | None:
    async with shared.database.write() as session:
        row = await ApiKeyRepository(session).get_valid_for_update(key_id)
        return None if row is None else row.last_used_ms


def test_scopes_are_compared_right_by_right() -> None:
    read = Scopes({Resource.OBJECTS: Level.READ})
    write = Scopes({Resource.OBJECTS: Level.WRITE, Resource.AGENTS: Level.NONE})
    assert write.cover(read)
    assert not read.cover(write)
    assert read.cover(Scopes({}))
    assert Scopes.load(write.dump()).cover(write)
    assert Scopes.load({"RESOURCE_TYPE_GONE": "ACCESS_LEVEL_WRITE"}).dump() == {}
    assert read.missing([(Resource.OBJECTS, Level.WRITE)]) == (Resource.OBJECTS, Level.WRITE)
