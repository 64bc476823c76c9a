"""Limits of accounts: each is kept, says which it is and who may raise it, and is answered so that clients do right."""

import platform
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from runloop_api_client import AsyncRunloop, RateLimitError
from sqlalchemy import event, update

from loopyard.account import limits as module
from loopyard.account.service import limit, set_enabled
from loopyard.auth.authenticator import Authenticator
from loopyard.auth.watch import KeyWatch
from loopyard.blueprint.models import Blueprint
from loopyard.devbox.models import Devbox
from loopyard.kit.errors import BadRequest, NotFound
from tests.unit.auth.belongings import Belongings, belongings
from tests.unit.auth.world import World, world

pytestmark = [pytest.mark.unit, pytest.mark.anyio]

_SMALL = {"launch_parameters": {"resource_size_request": "SMALL"}}
"""The size of devboxes for which none is asked: 1 core, 2 GiB of memory and 4 GiB of disk."""


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    platform.platform()  # the official client asks it, which starts a program the first time
    async with world(tmp_path_factory.mktemp("limits")) as made:
        yield made


@pytest.fixture
async def one(server: World) -> tuple[World, Belongings, str]:
    """A server; what an account of the test's own has there, one running devbox among it; and the account's key."""
    account_id, key = await server.account()
    known = await belongings(server, account_id, key)
    async with server.database.write() as session:  # the run's own devbox is none that counts
        await session.execute(update(Devbox).where(Devbox.id != known.known["/v1/devboxes"]).values(status="shutdown"))
    return server, known, key


async def _limit(made: World, key: str, **given: Any) -> str:
    """Limit the key's account, and have the server notice; the account's id."""
    account_id = (await made.ask(key, "GET", "/v1/accounts/me")).json()["id"]
    async with made.database.write() as session:
        await limit(session, account_id, given, ())
    await KeyWatch(made.database, made.parts.get(Authenticator)).look()
    return account_id


def _assert_reached(answer: httpx.Response, name: str, account_id: str, *, retry: bool) -> None:
    assert answer.status_code == 429, answer.text
    body = answer.json()
    assert body["code"] == "limit_reached"
    assert body["message"].startswith(f"{name}: ")
    assert f"loopyard account limit {account_id} --{name.replace('_', '-')} N" in body["message"]
    assert answer.headers.get("x-should-retry") == (None if retry else "false")
    assert answer.headers.get("retry-after") == ("5" if retry else None)


@pytest.mark.parametrize(
    ("name", "value"),
    [("running_devboxes", 1), ("cpu_cores", 1.5), ("memory_gib", 3), ("disk_gib", 7)],
    ids=["devboxes", "cpu", "memory", "disk"],
)
async def test_devboxes_have_limits(name: str, value: float, one: tuple[World, Belongings, str]) -> None:
    made, known, key = one
    account_id = await _limit(made, key, **{name: value})
    devbox = known.known["/v1/devboxes"]
    for path in ("/v1/devboxes", "/v1/devboxes/create_and_await_running"):
        _assert_reached(await made.ask(key, "POST", path, json=_SMALL), name, account_id, retry=True)
    run = {"scenario_id": known.known["/v1/scenarios"], "runProfile": _SMALL}
    _assert_reached(await made.ask(key, "POST", "/v1/scenarios/start_run", json=run), name, account_id, retry=True)
    # Suspended, it has its disk only.
    async with made.database.write() as session:
        await session.execute(update(Devbox).where(Devbox.id == devbox).values(status="suspended"))
    created = await made.ask(key, "POST", "/v1/devboxes", json=_SMALL)
    if name == "disk_gib":
        _assert_reached(created, name, account_id, retry=True)
    else:
        assert created.status_code == 200


@pytest.mark.parametrize("name", ["cpu_cores", "memory_gib", "disk_gib"])
async def test_what_is_too_large_by_itself_is_a_bad_request(name: str, one: tuple[World, Belongings, str]) -> None:
    made, _, key = one
    await _limit(made, key, **{name: 0.5})
    refused = await made.ask(key, "POST", "/v1/devboxes", json=_SMALL)
    assert (refused.status_code, refused.json()["field"]) == (400, "launch_parameters")
    assert name in refused.json()["message"]


async def test_a_resume_counts_as_a_start(one: tuple[World, Belongings, str]) -> None:
    made, known, key = one
    account_id = await _limit(made, key, running_devboxes=0)
    devbox = known.known["/v1/devboxes"]
    async with made.database.write() as session:
        await session.execute(update(Devbox).where(Devbox.id == devbox).values(status="suspended"))
    resumed = await made.ask(key, "POST", f"/v1/devboxes/{devbox}/resume")
    _assert_reached(resumed, "running_devboxes", account_id, retry=True)
    await _limit(made, key, running_devboxes=1, disk_gib=4)  # it has its disk already
    assert (await made.ask(key, "POST", f"/v1/devboxes/{devbox}/resume")).status_code == 200


async def test_builds_have_a_limit(one: tuple[World, Belongings, str]) -> None:
    made, known, key = one
    account_id = await _limit(made, key, builds=1)
    blueprint = known.known["/v1/blueprints"]
    async with made.database.write() as session:
        await session.execute(update(Blueprint).where(Blueprint.id == blueprint).values(status="building"))
    refused = await made.ask(key, "POST", "/v1/blueprints", json={"name": "another"})
    _assert_reached(refused, "builds", account_id, retry=True)
    await made.ask(key, "POST", f"/v1/blueprints/{blueprint}/delete")
    assert (await made.ask(key, "POST", "/v1/blueprints", json={"name": "another"})).status_code == 200


async def test_jobs_have_a_limit(one: tuple[World, Belongings, str]) -> None:
    made, known, key = one
    account_id = await _limit(made, key, jobs=1)
    spec: Mapping[str, Any] = {
        "type": "scenarios",
        "scenario_ids": [known.known["/v1/scenarios"]],
        "agent_configs": [{"type": "job_agent", "name": "nop"}],
    }
    refused = await made.ask(key, "POST", "/v1/benchmark_jobs", json={"spec": spec})
    _assert_reached(refused, "jobs", account_id, retry=True)


async def test_objects_have_a_limit_that_uploads_count_in(one: tuple[World, Belongings, str]) -> None:
    made, _, key = one
    account_id = await _limit(made, key, object_bytes=100)
    body = {"name": "x", "content_type": "text"}

    async def create() -> dict[str, Any]:
        return (await made.ask(key, "POST", "/v1/objects", json=body)).json()

    first, second = await create(), await create()
    assert (await made.http.put(first["upload_url"], content=b"x" * 60)).status_code == 200
    too_much = await made.http.put(second["upload_url"], content=b"x" * 41)
    _assert_reached(too_much, "object_bytes", account_id, retry=False)
    assert (await made.http.put(first["upload_url"], content=b"x" * 60)).status_code == 200, "in its own place"
    assert (await made.http.put(second["upload_url"], content=b"x" * 40)).status_code == 200
    for each in (first, second):
        assert (await made.ask(key, "POST", f"/v1/objects/{each['id']}/complete")).status_code == 200
    _assert_reached(await made.ask(key, "POST", "/v1/objects", json=body), "object_bytes", account_id, retry=False)
    await made.ask(key, "POST", f"/v1/objects/{first['id']}/delete")
    assert "id" in await create()


async def test_other_accounts_are_not_concerned(one: tuple[World, Belongings, str]) -> None:
    made, _, key = one
    await _limit(made, key, running_devboxes=0)
    assert (await made.ask(made.key, "POST", "/v1/devboxes", json=_SMALL)).status_code == 200


async def test_the_servers_limits_hold_for_accounts_without_their_own(tmp_path: Path) -> None:
    async with world(tmp_path, limits={"running_devboxes": 0}) as made:
        refused = await made.ask(made.key, "POST", "/v1/devboxes", json=_SMALL)
        _assert_reached(refused, "running_devboxes", made.account_id, retry=True)
        await _limit(made, made.key, running_devboxes=None)
        assert (await made.ask(made.key, "POST", "/v1/devboxes", json=_SMALL)).status_code == 200
        async with made.database.write() as session:
            assert (await limit(session, made.account_id, {}, ["running_devboxes"])).model_dump(
                exclude_unset=True
            ) == {}
        await KeyWatch(made.database, made.parts.get(Authenticator)).look()
        refused = await made.ask(made.key, "POST", "/v1/devboxes", json=_SMALL)
        assert refused.status_code == 429


async def test_without_limits_nothing_is_asked_of_the_store(one: tuple[World, Belongings, str]) -> None:
    made, _, key = one
    asked: list[str] = []

    def note(*given: Any) -> None:
        asked.append(given[2])

    event.listen(made.database.engine.sync_engine, "before_cursor_execute", note)
    assert (await made.ask(key, "POST", "/v1/devboxes", json=_SMALL)).status_code == 200
    event.remove(made.database.engine.sync_engine, "before_cursor_execute", note)
    assert [statement for statement in asked if "account.limits" in statement] == []


@pytest.mark.parametrize(("name", "value"), [("jobs", -1), ("jobs", "many"), ("memory_gib", float("inf")), ("cows", 1)])
async def test_what_cannot_be_a_limit_is_refused(name: str, value: object, one: tuple[World, Belongings, str]) -> None:
    made, _, key = one
    with pytest.raises(BadRequest, match=name):
        await _limit(made, key, **{name: value})
    async with made.database.write() as session:
        with pytest.raises(NotFound):
            await set_enabled(session, "acc_unknown", enabled=False)


async def test_the_official_client_waits_for_what_comes_back_and_for_nothing_else(
    one: tuple[World, Belongings, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, known, key = one
    monkeypatch.setattr(module, "RETRY_SECONDS", 1)
    await _limit(made, key, running_devboxes=1, object_bytes=0)
    asked: list[str] = []

    async def note(request: httpx.Request) -> None:
        asked.append(request.url.path)
        if len(asked) == 2:  # the devbox has ended meanwhile
            async with made.database.write() as session:
                await session.execute(
                    update(Devbox).where(Devbox.id == known.known["/v1/devboxes"]).values(status="shutdown")
                )

    transport = httpx.ASGITransport(app=made.app)
    http = httpx.AsyncClient(transport=transport, event_hooks={"request": [note]})
    async with AsyncRunloop(bearer_token=key, base_url="http://test", http_client=http) as client:
        assert (await client.devboxes.create()).id
        assert asked == ["/v1/devboxes"] * 2
        with pytest.raises(RateLimitError, match="object_bytes"):
            await client.objects.create(name="x", content_type="text")
    assert asked[2:] == ["/v1/objects"]
