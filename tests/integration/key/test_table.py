"""Each operation with each kind of key, over the wire, on a real server with each database."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from loopyard.auth.operations import OPERATIONS, entry
from loopyard.identity.scopes import Level, Resource, Scopes
from loopyard.kit.clock import now_ms
from loopyard.kit.ids import new_id
from tests.commands import loopyard
from tests.integration.api.answers import assert_error
from tests.integration.api.resources import OPERATIONS as ALL
from tests.integration.api.resources import Operation
from tests.postgres import PostgresCluster
from tests.serving import ServerProcess, serving
from tests.stores import new_store

_ENDLESS = "/v1/devboxes/evictions/watch"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    data = tmp_path_factory.mktemp("keys") / "data"
    cluster = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    url = new_store(cluster) if isinstance(cluster, PostgresCluster) else None
    with serving(data, database_url=url) as process:
        yield process


@pytest.fixture(scope="module")
def http(server: ServerProcess) -> Generator[httpx.Client]:
    with httpx.Client(base_url=server.base_url, timeout=60) as client:
        yield client


def _ask(http: httpx.Client, key: str | None, operation: Operation) -> httpx.Response:
    """The operation on what is not there, with a body that none takes."""
    path = operation.at(**dict.fromkeys(operation.places, new_id("dbx")))
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    return http.request(operation.method, path, content=b"[]", headers=headers)


def _make(http: httpx.Client, own: str, path: str, body: Any) -> dict[str, Any]:
    answer = http.post(path, json=body, headers={"Authorization": f"Bearer {own}"})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("kind", ["none", "wrong", "expired", "revoked"])
def test_keys_that_are_not_good_open_nothing(kind: str, server: ServerProcess, http: httpx.Client) -> None:
    key = {"none": None, "wrong": "rk_wrong"}.get(kind)
    if kind == "revoked":
        made = _make(http, server.api_key, "/v1/apikeys", {})
        key = made["key_secret"]
        assert http.get("/v1/objects", headers={"Authorization": f"Bearer {key}"}).status_code == 200
        http.delete(f"/v1/apikeys/{made['id']}", headers={"Authorization": f"Bearer {server.api_key}"})
    elif kind == "expired":
        key = _make(http, server.api_key, "/v1/apikeys", {"expires_at_ms": now_ms() + 200})["key_secret"]
        while http.get("/v1/objects", headers={"Authorization": f"Bearer {key}"}).status_code == 200:
            pass
    for operation in ALL:
        assert_error(401, _ask(http, key, operation))


@pytest.mark.parametrize("level", list(Level), ids=lambda level: level.name)
def test_a_restricted_key_may_do_what_its_scopes_say(level: Level, server: ServerProcess, http: httpx.Client) -> None:
    for resource in Resource:
        scopes = Scopes({resource: level})
        wire = [{"resource_type": resource.value, "access_level": level.wire}]
        key = _make(http, server.api_key, "/v1/restricted_keys", {"scopes": wire})["key_secret"]
        for operation in ALL:
            missing = scopes.missing(OPERATIONS[entry(operation.method.upper(), operation.path)])
            if missing is not None:
                answer = _ask(http, key, operation)
                assert_error(403, answer)
                assert missing[0].value in answer.json()["message"]
            elif operation.path != _ENDLESS:
                assert _ask(http, key, operation).status_code not in (401, 403, 500), operation


def test_another_accounts_key_finds_nothing(server: ServerProcess, http: httpx.Client) -> None:
    where = ["--data-dir", str(server.data_dir)]
    if server.database_url is not None:
        where += ["--database-url", server.database_url]
    account = loopyard("account", "create", "another", *where).stdout.strip()
    key = loopyard("key", "create", "--account", account, *where).stdout.strip()
    authorization = {"Authorization": f"Bearer {key}"}
    assert http.get("/v1/accounts/me", headers=authorization).json()["id"] == account
    secret = _make(http, server.api_key, "/v1/secrets", {"name": "OURS", "value": "x"})
    kept = _make(http, server.api_key, "/v1/objects", {"name": "ours", "content_type": "text"})
    for path, ours in (("/v1/secrets/", "OURS"), ("/v1/secrets/id/", secret["id"]), ("/v1/objects/", kept["id"])):
        unknown = "NOBODYS" if ours == "OURS" else new_id(ours[:3])
        found, missing = (http.get(f"{path}{one}", headers=authorization) for one in (ours, unknown))
        assert_error(404, found)
        assert found.text.replace(ours, "x") == missing.text.replace(unknown, "x")
    assert http.get("/v1/secrets", headers=authorization).json()["secrets"] == []
    for operation in ALL:
        if operation.path != _ENDLESS:
            assert _ask(http, key, operation).status_code not in (401, 403, 500), operation


def test_limits_hold_when_many_ask_at_once(server: ServerProcess, http: httpx.Client) -> None:
    where = ["--data-dir", str(server.data_dir)]
    if server.database_url is not None:
        where += ["--database-url", server.database_url]
    account = loopyard("account", "create", "limited", *where).stdout.strip()
    assert loopyard("account", "limit", account, "--running-devboxes", "3", *where).returncode == 0
    key = loopyard("key", "create", "--account", account, *where).stdout.strip()
    authorization = {"Authorization": f"Bearer {key}"}
    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(http.post, "/v1/devboxes", json={}, headers=authorization) for _ in range(40)]
    answers = [one.result() for one in asked]
    assert sorted({answer.status_code for answer in answers}) == [200, 429]
    made = [answer.json()["id"] for answer in answers if answer.status_code == 200]
    assert len(made) == 3
    for devbox_id in made:
        http.post(f"/v1/devboxes/{devbox_id}/shutdown", headers=authorization).raise_for_status()
    again = http.post("/v1/devboxes", json={}, headers=authorization)
    assert again.status_code == 200
    http.post(f"/v1/devboxes/{again.json()['id']}/shutdown", headers=authorization).raise_for_status()
