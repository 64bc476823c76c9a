"""How a server starts, what it prints and keeps, and whom it lets in."""

import stat
from pathlib import Path

import httpx
import pytest

from tests.postgres import PostgresCluster
from tests.serving import serving


@pytest.mark.usefixtures("programs")
def test_the_first_start_prints_what_a_client_needs_and_later_ones_do_not(tmp_path: Path) -> None:
    with serving(tmp_path / "data", premade=False) as server:
        key = server.api_key
        assert server.printed == [
            f"Loopyard listens on {server.base_url}",
            f"export RUNLOOP_BASE_URL={server.base_url}",
            f"export RUNLOOP_API_KEY={key}",
        ]
        assert server.stop() == 0
        server.start()
        assert server.printed == [
            f"Loopyard listens on {server.base_url}",
            f"The API key is in {server.data_dir / 'api-key'}",
        ]
        assert server.api_key == key
        assert server.client().devboxes.list().devboxes == []
        assert key not in server.log


def test_what_it_keeps_is_its_owners_alone(tmp_path: Path) -> None:
    with serving(tmp_path / "data", premade=False) as server:
        assert stat.S_IMODE(server.data_dir.stat().st_mode) == 0o700
        assert stat.S_IMODE((server.data_dir / "api-key").stat().st_mode) == 0o600
        assert stat.S_IMODE((server.data_dir / "lock").stat().st_mode) == 0o600


def test_a_key_of_the_operators_own_replaces_the_one_before(tmp_path: Path) -> None:
    with serving(tmp_path / "data", premade=False) as server:
        before = server.api_key
        server.stop()
        server.start(env={"LOOPYARD_API_KEY": "chosen-by-hand"})
        assert not any("chosen-by-hand" in line for line in server.printed)
        assert server.api_key == "chosen-by-hand"
        answers = {key: _status(server.base_url, f"Bearer {key}") for key in (before, "chosen-by-hand", "other")}
        assert answers == {before: 401, "chosen-by-hand": 200, "other": 401}


def test_health_needs_no_key_and_everything_else_does(tmp_path: Path) -> None:
    with serving(tmp_path / "data", env={"LOOPYARD_API_KEY": "right"}, premade=False) as server:
        healthy = httpx.get(f"{server.base_url}/healthz")
        assert (healthy.status_code, healthy.json()["status"]) == (200, "ok")
        for authorization in ("Bearer wrong", "bearer right", "Basic right", "right", ""):
            expected = 200 if authorization == "bearer right" else 401
            assert _status(server.base_url, authorization) == expected, authorization


@pytest.mark.usefixtures("programs")
def test_postgresql_is_as_good_a_store(tmp_path: Path, postgres: PostgresCluster) -> None:
    url = postgres.new_database()
    with serving(tmp_path / "data", database_url=url) as server, server.client() as client:
        devbox = client.devboxes.create_and_await_running(name="on PostgreSQL", metadata={"ä": "\u2028"})
        assert client.devboxes.execute_and_await_completion(devbox.id, command="echo ok").stdout == "ok\n"
        server.kill()
        server.start()
        with server.client() as again:
            assert again.devboxes.retrieve(devbox.id).metadata == {"ä": "\u2028"}
            assert again.devboxes.execute_and_await_completion(devbox.id, command="echo still").stdout == "still\n"
        assert not (server.data_dir / "loopyard.db").exists()
        password = url.partition("@")[0].rpartition(":")[2]
        assert password not in server.log


@pytest.mark.parametrize("host", ["127.0.0.2", "::1", "localhost"])
def test_it_listens_where_it_is_told(tmp_path: Path, host: str) -> None:
    with serving(tmp_path / "data", options=["--host", host], premade=False) as server:
        assert httpx.get(f"{server.base_url}/healthz").status_code == 200
        if host != "localhost":
            assert host in server.base_url


def _status(base_url: str, authorization: str) -> int:
    return httpx.get(f"{base_url}/v1/accounts/me", headers={"Authorization": authorization}).status_code
