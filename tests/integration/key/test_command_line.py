"""Keys, accounts and the audit log on the command line, beside a server that runs and is killed."""

import json
import time
from collections.abc import Callable, Generator
from typing import Any

import httpx
import pytest
from alembic import command
from sqlalchemy import Connection, text

from loopyard.kit.db.database import Database
from loopyard.store import migrate
from loopyard.store.migrate import alembic_config
from tests.commands import loopyard
from tests.serving import ServerProcess, serving

_NOTICED_SECONDS = 5.0


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Generator[ServerProcess]:
    """A server of this module's own: it is killed."""
    with serving(tmp_path_factory.mktemp("keys") / "data", env={"LOOPYARD_SSH__PORT": "0"}) as process:
        yield process


def _run(server: ServerProcess, *arguments: str) -> str:
    done = loopyard(*arguments, "--data-dir", str(server.data_dir))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _status(server: ServerProcess, key: str, path: str = "/v1/accounts/me") -> int:
    return httpx.get(f"{server.base_url}{path}", headers={"Authorization": f"Bearer {key}"}).status_code


def _until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _NOTICED_SECONDS
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _audit(server: ServerProcess, *filters: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _run(server, "audit", *filters).splitlines()]


def test_keys_are_made_listed_and_revoked(own: ServerProcess) -> None:
    key = _run(own, "key", "create", "--name", "ci", "--scope", "objects=read", "--expires-in", "2h")
    assert key.startswith("rk_")
    assert (_status(own, key, "/v1/objects"), _status(own, key, "/v1/agents")) == (200, 403)
    listed = [json.loads(line) for line in _run(own, "key", "list", "--json").splitlines()]
    shown = next(one for one in listed if one["name"] == "ci")
    assert shown["scopes"] == [{"access_level": "ACCESS_LEVEL_READ", "resource_type": "RESOURCE_TYPE_OBJECTS"}]
    assert 0 < shown["expires_at_ms"] / 1000 - time.time() <= 7200
    assert "objects=read" in _run(own, "key", "list")
    assert _run(own, "key", "revoke", shown["id"]) == shown["id"]
    _until(lambda: _status(own, key, "/v1/objects") == 401)
    again = loopyard("key", "revoke", shown["id"], "--data-dir", str(own.data_dir))
    assert (again.returncode, "revoked already" in again.stderr) == (1, True)
    assert [one["operation"] for one in _audit(own, "--resource", shown["id"])] == ["key create", "key revoke"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--scope", "objects"],
        ["--scope", "cows=read"],
        ["--scope", "objects=read", "--scope", "objects=write"],
        ["--expires-in", "soon"],
        ["--expires-in", "0d"],
        ["--account", "acc_unknown"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_makes_no_key(arguments: list[str], own: ServerProcess) -> None:
    refused = loopyard("key", "create", *arguments, "--data-dir", str(own.data_dir))
    assert refused.returncode != 0
    assert refused.stdout == ""


def test_an_account_is_made_limited_disabled_and_enabled(own: ServerProcess) -> None:
    account = _run(own, "account", "create", "guests")
    key = _run(own, "key", "create", "--account", account)
    assert _status(own, key) == 200
    limits = _run(own, "account", "limit", account, "--running-devboxes", "0", "--memory-gib", "none")
    assert json.loads(limits) == {"running_devboxes": 0, "memory_gib": None}

    def create() -> httpx.Response:
        return httpx.post(f"{own.base_url}/v1/objects", json={}, headers={"Authorization": f"Bearer {key}"})

    def made() -> httpx.Response:
        return httpx.post(f"{own.base_url}/v1/devboxes", json={}, headers={"Authorization": f"Bearer {key}"})

    _until(lambda: made().status_code == 429)
    _run(own, "account", "disable", account)
    _until(lambda: create().status_code == 403)
    assert create().json()["code"] == "account_disabled"
    listed = [json.loads(line) for line in _run(own, "account", "list", "--json").splitlines()]
    assert [one["name"] for one in listed] == ["default", "guests"]
    assert listed[1]["disabled"]
    assert "guests\tdisabled\trunning_devboxes=0" in _run(own, "account", "list")
    _run(own, "account", "enable", account)
    _until(lambda: create().status_code == 400)


def test_what_was_answered_about_keys_is_in_the_audit_log_after_a_kill(own: ServerProcess) -> None:
    headers = {"Authorization": f"Bearer {own.api_key}"}
    with httpx.Client(base_url=own.base_url, headers=headers) as client:
        made = [client.post("/v1/apikeys").json()["id"] for _ in range(20)]
        own.kill()
    found = {one["made"] for one in _audit(own, "--operation", "/v1/apikeys")}
    assert set(made) <= found
    own.start()
    assert _status(own, own.api_key) == 200


def test_everything_is_in_the_audit_log_after_a_clean_end(own: ServerProcess) -> None:
    headers = {"Authorization": f"Bearer {own.api_key}"}
    path = "/v1/devboxes/dbx_of_this_test/keep_alive"
    with httpx.Client(base_url=own.base_url, headers=headers) as client:
        for _ in range(20):
            assert client.post(path).status_code == 404
    own.stop()
    found = _audit(own, "--resource", "dbx_of_this_test", "--outcome", "failed", "--since", "10m")
    assert [one["path"] for one in found] == [path] * 20
    assert len(_audit(own, "--resource", "dbx_of_this_test", "--last", "3")) == 3
    assert _audit(own, "--resource", "dbx_of_this_test", "--until", "2026-01-01") == []
    own.start()


@pytest.mark.anyio
async def test_the_key_of_an_older_installation_becomes_the_servers_own(database: Database) -> None:
    """From the schema before scopes, with the one key that it could have."""

    def to(revision: str) -> Callable[[Connection], None]:
        return lambda sync: command.downgrade(alembic_config(sync), revision)

    writer = database.engine.execution_options(loopyard_write=True)
    async with writer.begin() as connection:
        await connection.run_sync(to("0015"))
        await connection.execute(text("INSERT INTO account (id, name, create_time_ms) VALUES ('acc_1', 'default', 1)"))
        given = "INSERT INTO api_key (id, account_id, digest, create_time_ms) VALUES ('key_1', 'acc_1', 'd', 1)"
        await connection.execute(text(given))
    await migrate.upgrade(database)
    async with database.read() as session:
        row = (await session.execute(text("SELECT id, digest, of_server, scopes, revoked_at_ms FROM api_key"))).one()
    assert tuple(row) == ("key_1", "d", True, None, None)
