"""SQL on axons: results, transactions, and statements that would harm the server."""

import concurrent.futures
import time
from pathlib import Path

import httpx
import pytest
from runloop_api_client import BadRequestError, Runloop

from loopyard.axon.sql.worker import limits
from tests.integration.api.answers import assert_error
from tests.integration.axon.publishing import event
from tests.processes import descendants
from tests.serving import ServerProcess

ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"


def test_a_batch_is_one_transaction(client: Runloop, axon: str) -> None:
    good = client.axons.sql.batch(
        axon,
        statements=[
            {"sql": "CREATE TABLE a(x INTEGER CHECK (x < 10))"},
            {"sql": "INSERT INTO a VALUES (?)", "params": [1]},
            {"sql": "SELECT x FROM a"},
        ],
    )
    assert [one.success is not None for one in good.results] == [True] * 3
    assert good.results[2].success is not None
    assert good.results[2].success.rows == [[1]]
    bad = client.axons.sql.batch(
        axon,
        statements=[{"sql": "INSERT INTO a VALUES (2)"}, {"sql": "INSERT INTO a VALUES (11)"}, {"sql": "SELECT 1"}],
    )
    assert [one.success for one in bad.results] == [None] * 3
    assert "CHECK constraint failed" in (bad.results[1].error.message if bad.results[1].error else "")
    assert client.axons.sql.query(axon, sql="SELECT x FROM a").rows == [[1]]


def test_a_failed_constraint_at_the_end_undoes_all(client: Runloop, axon: str) -> None:
    client.axons.sql.batch(
        axon,
        statements=[
            {"sql": "CREATE TABLE a(id INTEGER PRIMARY KEY)"},
            {"sql": "CREATE TABLE b(a REFERENCES a DEFERRABLE INITIALLY DEFERRED)"},
        ],
    )
    with pytest.raises(BadRequestError, match="FOREIGN KEY"):
        client.axons.sql.query(axon, sql="INSERT INTO b VALUES (1)")
    assert client.axons.sql.query(axon, sql="SELECT count(*) FROM b").rows == [[0]]


def test_a_repeated_request_changes_nothing_twice(http: httpx.Client, client: Runloop, axon: str) -> None:
    client.axons.sql.query(axon, sql="CREATE TABLE a(x)")
    repeated = {"x-request-id": "the same"}
    answers = [
        http.post(f"/v1/axons/{axon}/sql/query", json={"sql": "INSERT INTO a VALUES (1)"}, headers=repeated).text
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert client.axons.sql.query(axon, sql="SELECT count(*) FROM a").rows == [[1]]


def test_another_statement_with_a_used_key_is_refused(http: httpx.Client, client: Runloop, axon: str) -> None:
    client.axons.sql.query(axon, sql="CREATE TABLE a(x)")

    def post(way: str, body: object) -> httpx.Response:
        return http.post(f"/v1/axons/{axon}/sql/{way}", json=body, headers={"x-request-id": "the same"})

    first = post("query", {"sql": "INSERT INTO a VALUES (1)"})
    for way, body in (
        ("query", {"sql": "INSERT INTO a VALUES (2)"}),
        ("batch", {"statements": [{"sql": "INSERT INTO a VALUES (1)"}]}),
    ):
        refused = post(way, body)
        assert_error(409, refused)
        assert refused.json()["code"] == "request_id_reused"
    assert post("query", {"sql": "INSERT INTO a VALUES (1)"}).text == first.text
    assert client.axons.sql.query(axon, sql="SELECT x FROM a").rows == [[1]]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"sql": "SELEC 1"}, "sql"),
        ({"sql": 1}, "sql"),
        ({}, "sql"),
        ({"sql": "SELECT ?", "params": [[1]]}, "params.0"),
        ({"sql": "SELECT ?", "params": [2**63]}, "params.0"),
        ({"sql": "SELECT ?", "params": {"a": 1}}, "params"),
        ({"sql": "x" * (1024**2 + 1)}, "sql"),
        ({"sql": "SELECT 1; SELECT 2"}, "sql"),
    ],
    ids=range(8),
)
def test_a_bad_statement_is_told_by_its_field(http: httpx.Client, axon: str, body: object, field: str) -> None:
    answer = http.post(f"/v1/axons/{axon}/sql/query", json=body)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_axons_do_not_see_each_other(client: Runloop, http: httpx.Client) -> None:
    one, other = client.axons.create().id, client.axons.create().id
    http.post(f"/v1/axons/{one}/publish", json=event("secret"))
    client.axons.sql.query(one, sql="CREATE TABLE a(x)")
    assert client.axons.sql.query(other, sql="SELECT count(*) FROM rl_axon_events").rows == [[0]]
    with pytest.raises(BadRequestError, match="no such table"):
        client.axons.sql.query(other, sql="SELECT * FROM a")


def test_statements_that_never_end_hold_up_nothing_else(server: ServerProcess, client: Runloop) -> None:
    axons = [client.axons.create().id for _ in range(4)]
    with concurrent.futures.ThreadPoolExecutor() as threads:
        endless = [threads.submit(_fails, client, axon, ENDLESS) for axon in axons]
        published: list[float] = []
        while not any(one.done() for one in endless):
            client.axons.publish(axons[0], event_type="t", origin="USER_EVENT", payload="1", source="s")
            published.append(time.monotonic())
        ended = time.monotonic()
    assert all("time limit" in one.result() for one in endless)
    while_they_ran = [at for at in published[:-1] if at > ended - limits.SECONDS + 1]
    assert len(while_they_ran) >= 3, "events wait for the statements"
    assert client.axons.sql.query(axons[0], sql="SELECT 1").rows == [[1]]


def test_a_function_that_cannot_be_interrupted_is_killed_with_its_worker(client: Runloop, axon: str) -> None:
    client.axons.sql.query(axon, sql="CREATE TABLE kept(x)")
    slow = "SELECT instr(printf('%.*c', 8000000, 'a'), printf('%.*c', 4000000, 'a') || 'b')"
    began = time.monotonic()
    with pytest.raises(BadRequestError, match="time limit"):
        client.axons.sql.query(axon, sql=slow)
    assert time.monotonic() - began < 40
    assert client.axons.sql.query(axon, sql="SELECT count(*) FROM kept").rows == [[0]]


def _fails(client: Runloop, axon: str, sql: str) -> str:
    with pytest.raises(BadRequestError) as failed:
        client.axons.sql.query(axon, sql=sql)
    return failed.value.message


def test_workers_have_nothing_that_they_do_not_need(server: ServerProcess, client: Runloop, axon: str) -> None:
    client.axons.sql.query(axon, sql="SELECT 1")
    workers = [process for process in descendants(server.pid, "loopyard.axon.sql.worker") if process.uids().real != 0]
    assert workers
    roots = {Path(f"/proc/{worker.pid}/root").readlink() for worker in workers}
    assert server.data_dir / "axons" / axon in roots
    for worker in workers:
        status = Path(f"/proc/{worker.pid}/status").read_text()
        assert "NoNewPrivs:\t1" in status
        assert "CapEff:\t0000000000000000" in status
        assert Path(f"/proc/{worker.pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()
        assert server.api_key not in Path(f"/proc/{worker.pid}/environ").read_text()


def test_the_database_outlives_its_worker(server: ServerProcess, client: Runloop, axon: str) -> None:
    client.axons.sql.query(axon, sql="CREATE TABLE a(x)")
    client.axons.sql.query(axon, sql="INSERT INTO a VALUES (5)")
    for process in descendants(server.pid, "loopyard.axon.sql.worker"):
        if process.uids().real == 0:
            process.kill()  # the one that forks them
            process.wait()
            break
    with pytest.raises(BadRequestError, match="brought its worker"):
        client.axons.sql.query(axon, sql="SELECT x FROM a")
    assert client.axons.sql.query(axon, sql="SELECT x FROM a").rows == [[5]]
