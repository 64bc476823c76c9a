"""The audit log: what is noted, what is not, what it never holds, and how it is kept and read."""

import json
import stat
from collections.abc import AsyncGenerator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from loopyard.audit import files
from loopyard.audit.config import AuditConfig
from loopyard.audit.log import FOLDER, AuditLog
from loopyard.audit.reading import Filters, read
from loopyard.audit.record import Record, of_command_line, time_text
from loopyard.kit.clock import now_ms
from tests.unit.auth.world import World, world

pytestmark = [pytest.mark.unit, pytest.mark.anyio]


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[tuple[World, Path]]:
    folder = tmp_path_factory.mktemp("audit")
    async with world(folder) as made:
        yield made, folder / FOLDER


async def _noted(shared: tuple[World, Path], **filters: Any) -> list[dict[str, Any]]:
    await shared[0].parts.get(AuditLog).flush()
    return list(read(shared[1], Filters(**filters)))


async def test_a_change_is_noted_with_who_what_when_whence_and_outcome(shared: tuple[World, Path]) -> None:
    made, _ = shared
    before = now_ms()
    key = (await made.ask(made.key, "POST", "/v1/apikeys", json={"name": "noted"})).json()
    record = (await _noted(shared, resource=key["id"]))[0]
    assert before <= int(datetime.fromisoformat(record.pop("time")).timestamp() * 1000) <= now_ms()
    own = record.pop("key")
    assert own.startswith("key_")
    assert record == {
        "account": made.account_id,
        "operation": "POST /v1/apikeys",
        "path": "/v1/apikeys",
        "made": key["id"],
        "source": "127.0.0.1",
        "status": 200,
        "outcome": "done",
    }
    await made.ask(key["key_secret"], "POST", "/v1/devboxes/dbx_nothing/shutdown?force=true")
    failed = (await _noted(shared, resource="dbx_nothing"))[0]
    assert (failed["key"], failed["status"], failed["outcome"]) == (key["id"], 404, "failed")
    assert failed["path"] == "/v1/devboxes/dbx_nothing/shutdown"


async def test_refusals_are_noted_even_of_reads_and_other_reads_are_not(shared: tuple[World, Path]) -> None:
    made, _ = shared
    key_id, key = await made.restricted({})
    await made.ask(made.key, "GET", "/v1/agents")
    await made.ask(key, "GET", "/v1/agents")
    await made.ask("ak_unknown", "GET", "/v1/agents")
    await made.ask(made.key, "DELETE", f"/v1/apikeys/{key_id}")
    await made.ask(key, "GET", "/v1/agents")
    found = [
        (one.get("key"), one["status"], one["outcome"]) for one in await _noted(shared, operation="GET /v1/agents")
    ]
    assert found == [(key_id, 403, "refused"), (None, 401, "refused"), (key_id, 401, "refused")]


async def test_it_holds_no_secret(shared: tuple[World, Path]) -> None:
    made, folder = shared
    key = (await made.ask(made.key, "POST", "/v1/restricted_keys", json={})).json()["key_secret"]
    await made.ask(made.key, "POST", "/v1/secrets", json={"name": "NOTED", "value": "value-of-the-secret"})
    body = {"name": "x", "content_type": "text"}
    url = (await made.ask(made.key, "POST", "/v1/objects", json=body)).json()["upload_url"]
    assert (await made.http.put(url, content=b"content-of-the-object")).status_code == 200
    await made.parts.get(AuditLog).flush()
    text = "".join(path.read_text() for _, path in files.days(folder))
    for hidden in (key, made.key, "value-of-the-secret", "content-of-the-object", url.rpartition("signature=")[2]):
        assert hidden not in text
    upload = (await _noted(shared, operation="PUT /object-content"))[-1]
    assert upload["key"].startswith("key_")


async def test_what_changes_the_account_is_on_the_disk_before_it_is_answered(shared: tuple[World, Path]) -> None:
    made, folder = shared
    made_key = (await made.ask(made.key, "POST", "/v1/apikeys")).json()
    assert [one["made"] for one in read(folder, Filters(resource=made_key["id"]))] == [made_key["id"]]
    await made.ask(made.key, "DELETE", f"/v1/apikeys/{made_key['id']}")
    assert len(list(read(folder, Filters(resource=made_key["id"], operation="delete")))) == 1


async def test_a_stream_is_not_held_up(shared: tuple[World, Path]) -> None:
    made, _ = shared
    answer = await made.ask(made.key, "GET", "/openapi.json")
    assert answer.status_code == 200
    assert await _noted(shared, operation="openapi") == []


async def test_every_filter_narrows(tmp_path: Path) -> None:
    day = 24 * 3600 * 1000
    start = int(datetime(2026, 11, 29, tzinfo=UTC).timestamp() * 1000)
    records = [
        Record("POST /v1/a", start, "10.0.0.1", account="acc_1", key="key_1", path="/v1/a", made="a_1", status=200),
        Record("POST /v1/a/{}", start + 1, "10.0.0.2", account="acc_1", key="key_2", path="/v1/a/a_1", status=404),
        Record("GET /v1/a/{}", start + day, "10.0.0.1", account="acc_2", key="key_3", path="/v1/a/a_12", status=403),
        of_command_line("key revoke", 0, account="acc_2", made="key_3"),
    ]
    files.append(tmp_path, records)

    def found(**filters: Any) -> list[int]:
        lines = [record.line() for record in records]
        return [
            lines.index(json.dumps(one, separators=(",", ":")).encode() + b"\n")
            for one in read(tmp_path, Filters(**filters))
        ]

    assert len(found()) == 4
    assert found(account="acc_1") == [0, 1]
    assert found(key="key_3") == [2]
    assert found(operation="post") == [0, 1]
    assert found(resource="a_1") == [0, 1]
    assert found(resource="key_3") == [3]
    assert found(outcome="refused") == [2]
    assert found(source="10.0.0.1", outcome="done") == [0]
    assert found(since=time_text(start + 1), until=time_text(start + day)) == [1]
    assert found(until=time_text(start + 1)) == [0]


async def test_its_files_are_their_owners_alone_and_are_only_added_to(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    record = of_command_line("one", 0)
    files.append(folder, [record])
    path = files.days(folder)[0][1]
    first = path.read_bytes()
    with path.open("ab") as torn:
        torn.write(b'{"time": "cut of')
    files.append(folder, [record])
    assert path.read_bytes().startswith(first)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_a_line_that_was_cut_off_hides_no_other(tmp_path: Path) -> None:
    files.append(tmp_path, [of_command_line("before", 0)])
    with files.days(tmp_path)[0][1].open("ab") as torn:
        torn.write(b'{"time": "cut of')
    files.append(tmp_path, [of_command_line("after", 0)])
    assert [one["operation"] for one in read(tmp_path, Filters())] == ["before", "after"]


async def test_no_path_is_too_odd_to_be_noted(tmp_path: Path) -> None:
    odd = ["/\udcff", "/\x00", '/"\n', "/ü", "/" + "x" * 10_000]
    files.append(tmp_path, [Record("GET /v1/agents", 1, "10.0.0.1", path=path, status=401) for path in odd])
    found = [one["path"] for one in read(tmp_path, Filters())]
    assert found == ["/?", "/\x00", '/"\n', "/ü", "/" + "x" * 511]


async def test_old_days_are_deleted_and_the_oldest_when_there_are_too_many_bytes(tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=ago) for ago in (100, 50, 2, 1, 0)]
    for day in days:
        (tmp_path / f"{day.isoformat()}.jsonl").write_bytes(b"x" * 100)
    (tmp_path / "notes.txt").write_text("not the log's")

    def left() -> list[date]:
        return [day for day, _ in files.days(tmp_path)]

    files.prune(tmp_path, 90, 1000)
    assert left() == days[1:]
    files.prune(tmp_path, 90, 250)
    assert left() == days[3:]
    files.prune(tmp_path, 1, 1)
    assert left() == days[4:], "the newest day is kept whatever it takes"
    assert (tmp_path / "notes.txt").exists()


async def test_a_flood_of_strangers_does_not_fill_the_disk(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, AuditConfig())
    for _ in range(5000):
        log.note(Record("GET /v1/agents", now_ms(), "10.0.0.1", status=401))
    await log.flush()
    assert 600 <= len(list(read(tmp_path / FOLDER, Filters()))) <= 1201
    log.note(Record("GET /v1/agents", now_ms(), "10.0.0.1", key="key_1", status=401))
    await log.flush()
    assert len(list(read(tmp_path / FOLDER, Filters(key="key_1")))) == 1


async def test_a_disk_that_takes_nothing_stops_nobody(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, AuditConfig())
    (tmp_path / FOLDER).write_text("in the way")
    log.note(of_command_line("kept", 0))
    await log.flush()
    (tmp_path / FOLDER).unlink()
    await log.flush()
    assert [one["operation"] for one in read(tmp_path / FOLDER, Filters())] == ["kept"]


@pytest.mark.parametrize("trusted", [False, True])
async def test_where_a_request_comes_from_is_told_by_proxies_only_if_they_are_trusted(
    trusted: bool, tmp_path: Path
) -> None:
    async with world(tmp_path, audit={"trust_forwarded": trusted, "reads": True}) as made:
        await made.ask(made.key, "GET", "/v1/agents", headers={"X-Forwarded-For": "192.0.2.7, 10.0.0.1"})
        await made.parts.get(AuditLog).flush()
        record = next(read(tmp_path / FOLDER, Filters(operation="GET /v1/agents")))
        assert record["source"] == ("192.0.2.7" if trusted else "127.0.0.1")


async def test_it_can_be_switched_off(tmp_path: Path) -> None:
    async with world(tmp_path, audit={"enabled": False}) as made:
        assert (await made.ask(made.key, "POST", "/v1/apikeys")).status_code == 200
        await made.parts.get(AuditLog).flush()
    assert not (tmp_path / FOLDER).exists()
