"""Benchmark jobs of accounts that have limits, and of keys that are restricted or gone."""

from collections.abc import Mapping
from typing import Any, cast

import httpx
import pytest
from runloop_api_client import Runloop

from loopyard.account import limits as module
from loopyard.account.service import limit
from loopyard.identity.models import Account
from loopyard.identity.repository import ApiKeyRepository
from loopyard.identity.scopes import Level, Resource, Scopes
from loopyard.key.service import make, take_back
from loopyard.kit.db.database import Database
from loopyard.kit.http.parts import Parts
from loopyard.kit.ids import new_id
from tests.integration.benchmark_job.making import agent, make_scenario, start, wait
from tests.unit.in_process.server import InProcessServer
from tests.unit.in_process.transport import InProcessTransport

pytestmark = pytest.mark.unit


def _database(server: InProcessServer) -> Database:
    return cast("Parts", cast("Any", server.place.app).state.parts).get(Database)


def _client(server: InProcessServer, levels: Mapping[Resource, Level] | None, **limits: Any) -> tuple[Runloop, str]:
    """A client of a new account with a key that has these rights; and the key's id."""
    database, account_id = _database(server), new_id("acc")

    async def work() -> tuple[str, str]:
        async with database.write() as session:
            session.add(Account(id=account_id, name="jobs", create_time_ms=1))
            await session.flush()
            await limit(session, account_id, limits, ())
            scopes = None if levels is None else Scopes(levels)
            row, secret = await make(session, account_id, None, None, scopes)
            return row.id, secret

    key_id, secret = server.run(work())
    http = httpx.Client(transport=InProcessTransport(server.place), timeout=60)
    return Runloop(bearer_token=secret, base_url=server.base_url, http_client=http, max_retries=0), key_id


def _ended(client: Runloop, job_id: str) -> list[str]:
    """The states of the job's scenario outcomes, once it is over."""
    job = wait(client, job_id, 30)
    outcomes = (job.benchmark_outcomes or [])[0].scenario_outcomes or []
    return [str(one.state) for one in outcomes]


def test_trials_wait_for_room_and_none_is_lost(server: InProcessServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loopyard.benchmark_job.trial.runner.RETRY_SECONDS", 0)
    assert module.RETRY_SECONDS > 0
    client, _ = _client(server, None, running_devboxes=1)
    with client:
        scenarios = [make_scenario(client, f"one of {number}") for number in range(3)]
        assert _ended(client, start(client, scenarios, agent("nop"), n_concurrent_trials=3)) == ["COMPLETED"] * 3


def test_a_job_goes_on_with_the_rights_of_a_key_that_was_revoked_since(
    server: InProcessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loopyard.benchmark_job.trial.runner.RETRY_SECONDS", 0)
    levels = {Resource.BENCHMARKS: Level.WRITE, Resource.SCENARIOS: Level.WRITE, Resource.DEVBOXES: Level.WRITE}
    client, key_id = _client(server, levels, running_devboxes=0)
    database = _database(server)
    with client:
        scenario = make_scenario(client)
        job_id = start(client, [scenario], agent("nop"))

        async def revoke() -> str:
            async with database.write() as session:
                row = await ApiKeyRepository(session).get_valid_for_update(key_id)
                assert row is not None
                await take_back(session, row)
                await limit(session, row.account_id, {}, ["running_devboxes"])
                _, secret = await make(session, row.account_id, None, None, None)
                return secret

        wide = server.run(revoke())
        http = httpx.Client(transport=InProcessTransport(server.place), timeout=60)
        with Runloop(bearer_token=wide, base_url=server.base_url, http_client=http, max_retries=0) as other:
            assert _ended(other, job_id) == ["COMPLETED"]
