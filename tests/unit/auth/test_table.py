"""The table of rights: whole, and what it says is what is done, for every operation and every kind of key."""

import json
from pathlib import Path

import pytest

from loopyard.account.endpoints import me
from loopyard.auth.operations import OPERATIONS as NEEDS
from loopyard.auth.operations import TOKEN, entry
from loopyard.identity.scopes import Level, Resource, Scopes
from loopyard.key.service import make
from loopyard.kit.clock import now_ms
from tests.unit.auth.world import BAD_BODY, OPERATIONS, World, routes

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

_CONTRACT = Path(__file__).parents[3].parent / "shared/api/contract.json"
_WITHOUT_KEY = {"GET /", "GET /healthz", "GET /openapi.json", "GET /object-content/{}", "PUT /object-content/{}"}
_BEYOND = {
    "GET /v1/apikeys",
    "DELETE /v1/apikeys/{}",
    "GET /v1/benchmark_runs/{}/model_usage",
    "GET /v1/devboxes/{}/model_usage",
    "GET /v1/scenarios/runs/{}/model_usage",
}
"""What this server offers beside the contract."""

_ENDLESS = {"GET /v1/devboxes/evictions/watch"}
"""Streams that end with their client only: that they are let begin is seen in tests with real connections."""

_KEYS = [(resource, level) for resource in Resource for level in Level]


async def test_every_route_has_an_entry() -> None:
    assert {each.entry for each in routes()} - _WITHOUT_KEY - NEEDS.keys() == set()
    assert len(OPERATIONS) > 100
    assert [each for each in OPERATIONS if NEEDS[each.entry] == TOKEN] == []


@pytest.mark.skipif(not _CONTRACT.exists(), reason="the wire contract, ../shared/api, is not beside the checkout")
async def test_every_operation_of_the_contract_has_an_entry() -> None:
    paths = json.loads(_CONTRACT.read_text())["paths"]
    named = {entry(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert len(named) == 129
    assert named - NEEDS.keys() == set()
    assert NEEDS.keys() - named == _BEYOND


async def test_a_route_without_an_entry_is_closed_to_restricted_keys(shared: World) -> None:
    _, everything = await shared.restricted(dict.fromkeys(Resource, Level.WRITE))
    shared.app.add_api_route("/v1/forgotten", me, methods=["GET"])
    try:
        assert (await shared.ask(everything, "GET", "/v1/forgotten")).status_code == 403
        assert (await shared.ask(shared.key, "GET", "/v1/forgotten")).status_code == 200
    finally:
        shared.app.router.routes.pop()


@pytest.mark.parametrize("kind", ["none", "wrong", "expired", "revoked", "revoked restricted"])
async def test_keys_that_are_not_good_open_nothing(shared: World, kind: str) -> None:
    key: str | None = None
    if kind == "wrong":
        key = "ak_wrong"
    elif kind != "none":
        scopes = Scopes(dict.fromkeys(Resource, Level.WRITE)) if "restricted" in kind else None
        async with shared.database.write() as session:
            row, key = await make(session, shared.account_id, None, None, scopes)
            if kind == "expired":
                row.expires_at_ms = now_ms()
            else:
                row.revoked_at_ms = now_ms()
    for each in OPERATIONS:
        answer = await shared.ask(key, each.method, each.at(), content=BAD_BODY)
        assert answer.status_code == 401, each
        assert answer.json()["code"] == "unauthorized"
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("resource", "level"), _KEYS, ids=[f"{one.name}-{level.name}" for one, level in _KEYS])
async def test_a_restricted_key_may_do_what_its_scopes_say_and_nothing_else(
    shared: World, resource: Resource, level: Level
) -> None:
    scopes = Scopes({resource: level})
    _, key = await shared.restricted({resource: level})
    for each in OPERATIONS:
        if each.entry in _ENDLESS and scopes.missing(NEEDS[each.entry]) is None:
            continue
        answer = await shared.ask(key, each.method, each.at(), content=BAD_BODY)
        missing = scopes.missing(NEEDS[each.entry])
        if missing is None:
            assert answer.status_code not in (401, 403, 500), each
        else:
            assert answer.status_code == 403, each
            assert answer.json()["code"] == "forbidden"
            assert missing[0].value in answer.json()["message"]
            assert missing[1].wire in answer.json()["message"]


@pytest.mark.parametrize("kind", ["standard", "every scope", "another account's"])
async def test_keys_with_every_right_are_refused_nothing(shared: World, kind: str) -> None:
    key = shared.key
    if kind == "every scope":
        _, key = await shared.restricted(dict.fromkeys(Resource, Level.WRITE))
    elif kind == "another account's":
        _, key = await shared.account()
    for each in OPERATIONS:
        if each.entry not in _ENDLESS:
            answer = await shared.ask(key, each.method, each.at(), content=BAD_BODY)
            assert answer.status_code not in (401, 403, 500), (each, answer.text)
