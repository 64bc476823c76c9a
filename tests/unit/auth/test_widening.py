"""A restricted key gets no right through what it makes: not by keys, and not by what it names in requests."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from loopyard.auth.acting import Caller, acting_as, require
from loopyard.auth.on_behalf import caller_of
from loopyard.identity.repository import ApiKeyRepository
from loopyard.identity.scopes import Level, Resource, Scopes
from loopyard.kit.clock import now_ms
from loopyard.kit.errors import Forbidden
from loopyard.network_policy.models import NetworkPolicy
from tests.unit.auth.belongings import SCENARIO, Belongings, belongings
from tests.unit.auth.world import World, world

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

_R, _L = Resource, Level
_BOXES = {_R.DEVBOXES: _L.WRITE}
_RUNS = {_R.SCENARIOS: _L.WRITE, **_BOXES}
_JOBS = {_R.BENCHMARKS: _L.WRITE, **_RUNS}
_BUILDS = {_R.BLUEPRINTS: _L.WRITE}


@pytest.fixture(scope="module")
async def own(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[tuple[World, Belongings]]:
    """A server, and what its first account has there."""
    folder: Path = tmp_path_factory.mktemp("widening")
    async with world(folder) as made:
        yield made, await belongings(made, made.account_id, made.key)


def _mount(kind: str, **named: Any) -> dict[str, Any]:
    return {"mounts": [{"type": f"{kind}_mount", **named}]}


_NAMED: list[tuple[str, str, dict[Resource, Level], Resource, dict[str, Any]]] = [
    ("secret of a devbox", "/v1/devboxes", _BOXES, _R.ACCOUNT, {"secrets": {"X": "THEIRS"}}),
    ("snapshot of a devbox", "/v1/devboxes", _BOXES, _R.SNAPSHOTS, {"snapshot_id": "/v1/devboxes/disk_snapshots"}),
    ("blueprint of a devbox", "/v1/devboxes", _BOXES, _R.BLUEPRINTS, {"blueprint_id": "/v1/blueprints"}),
    ("blueprint by name", "/v1/devboxes", _BOXES, _R.BLUEPRINTS, {"blueprint_name": "theirs"}),
    (
        "object of a devbox",
        "/v1/devboxes",
        _BOXES,
        _R.OBJECTS,
        _mount("object", object_id="/v1/objects", object_path="x"),
    ),
    (
        "agent of a devbox",
        "/v1/devboxes",
        _BOXES,
        _R.AGENTS,
        _mount("agent", agent_id="/v1/agents", agent_name=None),
    ),
    (
        "devbox at once",
        "/v1/devboxes/create_and_await_running",
        _BOXES,
        _R.ACCOUNT,
        {"secrets": {"X": "THEIRS"}},
    ),
    (
        "secret of a run",
        "/v1/scenarios/start_run",
        _RUNS,
        _R.ACCOUNT,
        {"scenario_id": "/v1/scenarios", "runProfile": {"secrets": {"X": "THEIRS"}}},
    ),
    (
        "agent of a run",
        "/v1/scenarios/start_run",
        _RUNS,
        _R.AGENTS,
        {"scenario_id": "/v1/scenarios", "runProfile": _mount("agent", agent_id="/v1/agents", agent_name=None)},
    ),
    (
        "benchmark run of a run",
        "/v1/scenarios/start_run",
        _RUNS,
        _R.BENCHMARKS,
        {"scenario_id": "/v1/scenarios", "benchmark_run_id": "/v1/benchmark_runs"},
    ),
    (
        "snapshot of a scenario",
        "/v1/scenarios",
        {_R.SCENARIOS: _L.WRITE},
        _R.SNAPSHOTS,
        {**SCENARIO, "environment_parameters": {"snapshot_id": "/v1/devboxes/disk_snapshots"}},
    ),
    (
        "blueprint of a scenario",
        "/v1/scenarios",
        {_R.SCENARIOS: _L.WRITE},
        _R.BLUEPRINTS,
        {**SCENARIO, "environment_parameters": {"blueprint_id": "/v1/blueprints"}},
    ),
    (
        "scenario of a benchmark",
        "/v1/benchmarks",
        {_R.BENCHMARKS: _L.WRITE},
        _R.SCENARIOS,
        {"name": "x", "scenario_ids": ["/v1/scenarios"]},
    ),
    (
        "secret of a benchmark run",
        "/v1/benchmarks/start_run",
        {_R.BENCHMARKS: _L.WRITE},
        _R.ACCOUNT,
        {"benchmark_id": "/v1/benchmarks", "runProfile": {"secrets": {"X": "THEIRS"}}},
    ),
    (
        "secret of a job",
        "/v1/benchmark_jobs",
        _JOBS,
        _R.ACCOUNT,
        {
            "spec": {
                "type": "scenarios",
                "scenario_ids": ["/v1/scenarios"],
                "agent_configs": [
                    {"type": "job_agent", "name": "nop", "agent_environment": {"secrets": {"X": "THEIRS"}}}
                ],
            }
        },
    ),
    (
        "gateway of a devbox",
        "/v1/devboxes",
        _BOXES,
        _R.ACCOUNT,
        {"gateways": {"X": {"gateway": "/v1/gateway-configs", "secret": "THEIRS"}}},
    ),
    (
        "MCP server of a devbox",
        "/v1/devboxes",
        _BOXES,
        _R.ACCOUNT,
        {"mcp": {"X": {"mcp_config": "/v1/mcp-configs", "secret": "THEIRS"}}},
    ),
    (
        "gateway of a run",
        "/v1/scenarios/start_run",
        _RUNS,
        _R.ACCOUNT,
        {
            "scenario_id": "/v1/scenarios",
            "runProfile": {
                "launchParameters": {"gateways": {"X": {"gateway": "/v1/gateway-configs", "secret": "THEIRS"}}}
            },
        },
    ),
    (
        "object of an agent",
        "/v1/agents",
        {_R.AGENTS: _L.WRITE},
        _R.OBJECTS,
        {"name": "x", "version": "1", "source": {"type": "object", "object": {"object_id": "/v1/objects"}}},
    ),
]


def _filled(value: Any, known: Belongings) -> Any:
    """The value with ids in the place of the paths that they belong in."""
    if isinstance(value, dict):
        return {name: _filled(each, known) for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return [_filled(each, known) for each in value]  # pyright: ignore[reportUnknownVariableType]
    return known.known.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize(
    ("path", "levels", "lacks", "body"), [one[1:] for one in _NAMED], ids=[one[0] for one in _NAMED]
)
async def test_what_a_request_names_needs_the_right_to_read_it(
    path: str,
    levels: dict[Resource, Level],
    lacks: Resource,
    body: dict[str, Any],
    own: tuple[World, Belongings],
) -> None:
    made, known = own
    given = _filled(body, known)
    _, narrow = await made.restricted(levels)
    refused = await made.ask(narrow, "POST", path, json=given)
    assert refused.status_code == 403, refused.text
    assert lacks.value in refused.json()["message"]
    assert refused.json()["field"]
    wide = dict.fromkeys(Resource, Level.READ) | levels | {Resource.BENCHMARKS: Level.WRITE}
    _, key = await made.restricted(wide)
    admitted = await made.ask(key, "POST", path, json=given)
    assert admitted.status_code not in (401, 403), admitted.text


async def test_a_policy_that_only_narrows_may_be_named_by_whoever_may_make_devboxes(
    own: tuple[World, Belongings],
) -> None:
    made, known = own
    _, key = await made.restricted(_BOXES)
    policy = known.known["/v1/network-policies"]
    body = {"launch_parameters": {"network_policy_id": policy}}
    changes: list[tuple[dict[str, Any], bool]] = [
        ({"allow_all": True}, True),
        ({"allow_all": False, "allow_devbox_to_devbox": True}, True),
        ({"allow_devbox_to_devbox": False, "allowed_cidrs": [{"cidr": "10.0.0.0/8"}]}, True),
        ({"allowed_cidrs": []}, False),
    ]
    for change, refused in changes:
        async with made.database.write() as session:
            await session.execute(update(NetworkPolicy).where(NetworkPolicy.id == policy).values(**change))
        answer = await made.ask(key, "POST", "/v1/devboxes", json=body)
        assert (answer.status_code == 403) == refused, answer.text
        if refused:
            assert "RESOURCE_TYPE_ACCOUNT" in answer.json()["message"]


async def test_a_key_that_may_only_read_devboxes_sees_no_way_into_them(own: tuple[World, Belongings]) -> None:
    made, known = own
    devbox = known.known["/v1/devboxes"]
    tunnel = (await made.ask(made.key, "POST", f"/v1/devboxes/{devbox}/enable_tunnel", json={})).json()
    _, reader = await made.restricted({_R.DEVBOXES: _L.READ})
    _, writer = await made.restricted(_BOXES)
    for path in (f"/v1/devboxes/{devbox}", "/v1/devboxes"):
        assert tunnel["tunnel_key"] not in (await made.ask(reader, "GET", path)).text
        assert tunnel["tunnel_key"] in (await made.ask(writer, "GET", path)).text


async def test_restricted_keys_make_no_wider_keys(own: tuple[World, Belongings]) -> None:
    made, _ = own
    key_id, key = await made.restricted({_R.ACCOUNT: _L.WRITE, _R.OBJECTS: _L.READ})

    async def ask(scopes: dict[Resource, Level], **given: Any) -> Any:
        entries = [{"resource_type": one.value, "access_level": level.wire} for one, level in scopes.items()]
        return await made.ask(key, "POST", "/v1/restricted_keys", json={"scopes": entries, **given})

    assert (await made.ask(key, "POST", "/v1/apikeys", json={})).status_code == 403
    for wider in ({_R.OBJECTS: _L.WRITE}, {_R.DEVBOXES: _L.READ}, dict.fromkeys(Resource, _L.WRITE)):
        refused = await ask(wider)
        assert (refused.status_code, refused.json()["field"]) == (403, "scopes")
    child = await ask({_R.ACCOUNT: _L.WRITE, _R.OBJECTS: _L.READ})
    assert child.status_code == 200
    assert (await ask({})).status_code == 200
    async with made.database.read() as session:
        row = await ApiKeyRepository(session).get_stored(key_id=child.json()["id"])
    assert row is not None
    assert row.scopes == {_R.ACCOUNT.value: _L.WRITE.wire, _R.OBJECTS.value: _L.READ.wire}
    assert row.expires_at_ms is None
    # What it made ends with it.
    assert (await made.ask(made.key, "DELETE", f"/v1/apikeys/{key_id}")).status_code == 200
    for dead in (key, child.json()["key_secret"]):
        assert (await made.ask(dead, "GET", "/v1/accounts/me")).status_code == 401


async def test_a_restricted_key_makes_no_key_that_outlives_it(own: tuple[World, Belongings]) -> None:
    made, _ = own
    ends = now_ms() + 60_000
    scopes = [{"resource_type": _R.ACCOUNT.value, "access_level": _L.WRITE.wire}]
    parent = await made.ask(made.key, "POST", "/v1/restricted_keys", json={"scopes": scopes, "expires_at_ms": ends})
    key = parent.json()["key_secret"]
    inherited = await made.ask(key, "POST", "/v1/restricted_keys", json={})
    assert inherited.json()["expires_at_ms"] == ends
    longer = await made.ask(key, "POST", "/v1/restricted_keys", json={"expires_at_ms": ends + 1})
    assert (longer.status_code, longer.json()["field"]) == (403, "expires_at_ms")
    shorter = await made.ask(key, "POST", "/v1/restricted_keys", json={"expires_at_ms": ends - 1000})
    assert shorter.json()["expires_at_ms"] == ends - 1000


async def test_a_restricted_key_takes_back_no_wider_key(own: tuple[World, Belongings]) -> None:
    made, _ = own
    _, key = await made.restricted({_R.ACCOUNT: _L.WRITE})
    standard = (await made.ask(made.key, "POST", "/v1/apikeys", json={})).json()["id"]
    wider, _ = await made.restricted({_R.ACCOUNT: _L.WRITE, _R.AGENTS: _L.READ})
    narrower, _ = await made.restricted({_R.ACCOUNT: _L.READ})
    for each in (standard, wider):
        assert (await made.ask(key, "DELETE", f"/v1/apikeys/{each}")).status_code == 403
    assert (await made.ask(key, "DELETE", f"/v1/apikeys/{narrower}")).json() == {"revoked": [narrower]}


async def test_what_is_done_later_is_done_with_the_rights_of_whoever_asked(own: tuple[World, Belongings]) -> None:
    made, _ = own
    key_id, _ = await made.restricted(_JOBS)
    async with made.database.read() as session:
        caller = await caller_of(session, key_id)
        assert await caller_of(session, None) is None
    assert caller is not None
    with acting_as(caller), pytest.raises(Forbidden, match="RESOURCE_TYPE_ACCOUNT"):
        require(_R.ACCOUNT, _L.READ, "a test")
    with acting_as(Caller(made.account_id, scopes=Scopes({_R.ACCOUNT: _L.READ}))):
        require(_R.ACCOUNT, _L.READ, "a test")
    require(_R.ACCOUNT, _L.WRITE, "the server itself")
