"""Making, finding, changing and deleting axons; publishing and listing events."""

import asyncio
import json

import httpx
import pytest
from runloop_api_client import NotFoundError, Runloop

from tests.integration.axon.publishing import assert_contiguous, event, publish_many
from tests.serving import ServerProcess

MIB = 1024**2


def test_an_axon_is_found_by_its_name_and_metadata(client: Runloop) -> None:
    made = client.axons.create(name="Builds of Ada", metadata={"team": "a", "stage": "x"})
    other = client.axons.create(name="other", metadata={"team": "b"})
    assert client.axons.retrieve(made.id) == made

    def found(**query: object) -> list[str]:
        return [one.id for one in client.axons.list(extra_query=query) if one.id in (made.id, other.id)]

    assert found() == [other.id, made.id]
    assert found(id=made.id) == [made.id]
    assert found(name="builds") == [made.id]
    assert found(name="of Ada") == []
    assert found(search="of ada") == [made.id]
    assert found(search=other.id) == [other.id]
    assert found(**{"metadata[team]": "a", "metadata[stage]": "x"}) == [made.id]
    assert found(**{"metadata[team][in]": "a,b"}) == [other.id, made.id]
    assert found(**{"metadata[team]": "c"}) == []


def test_metadata_is_kept_cleared_or_replaced(client: Runloop, http: httpx.Client) -> None:
    made = client.axons.create(metadata={"a": "1", "b": "2"})
    assert http.post(f"/v1/axons/{made.id}", json={"metadata": None}).json()["metadata"] == {"a": "1", "b": "2"}
    assert client.axons.update(made.id, metadata={"c": "3"}).metadata == {"c": "3"}
    assert [one.id for one in client.axons.list(extra_query={"metadata[c]": "3"})] == [made.id]
    assert client.axons.update(made.id, metadata={}).metadata == {}
    assert [one.id for one in client.axons.list(extra_query={"metadata[c]": "3"})] == []


def test_a_deleted_axon_is_gone(client: Runloop, axon: str) -> None:
    client.axons.publish(axon, event_type="t", origin="USER_EVENT", payload="1", source="s")
    client.axons.delete(axon)
    for call in (
        lambda: client.axons.retrieve(axon),
        lambda: client.axons.update(axon, metadata={}),
        lambda: client.axons.delete(axon),
        lambda: client.axons.events.list(axon),
        lambda: client.axons.publish(axon, event_type="t", origin="USER_EVENT", payload="1", source="s"),
        lambda: client.axons.subscribe_sse(axon),
        lambda: client.axons.sql.query(axon, sql="SELECT 1"),
    ):
        with pytest.raises(NotFoundError):
            call()
    assert axon not in [one.id for one in client.axons.list()]


def test_events_are_listed_newest_first(client: Runloop, axon: str) -> None:
    published = [
        client.axons.publish(axon, event_type="t", origin="EXTERNAL_EVENT", payload=f'{{"n":{number}}}', source="s")
        for number in range(5)
    ]
    assert [one.sequence for one in published] == [1, 2, 3, 4, 5]
    first = client.axons.events.list(axon, limit=2)
    assert [one.sequence for one in first.events] == [5, 4]
    assert (first.has_more, first.total_count) == (True, 5)
    newest = first.events[0]
    assert (newest.axon_id, newest.event_type, newest.origin, newest.source) == (axon, "t", "EXTERNAL_EVENT", "s")
    assert (json.loads(newest.payload), newest.timestamp_ms) == ({"n": 4}, published[4].timestamp_ms)
    last = client.axons.events.list(axon, limit=3, starting_after="4", include_total_count=False)
    assert [one.sequence for one in last.events] == [3, 2, 1]
    assert (last.has_more, last.total_count) == (False, None)


def test_a_page_ends_before_it_is_too_large(client: Runloop, axon: str) -> None:
    for _ in range(10):
        client.axons.publish(axon, event_type="t", origin="USER_EVENT", payload="x" * 4 * MIB, source="s")
    page = client.axons.events.list(axon, limit=5000)
    assert [one.sequence for one in page.events] == list(range(10, 2, -1))
    assert page.has_more


def test_publishing_is_refused_with_what_is_wrong(http: httpx.Client, axon: str) -> None:
    def refused(**fields: object) -> tuple[int, str]:
        body = json.dumps({**event(), **fields})
        headers = {"content-type": "application/json"}
        answer = http.post(f"/v1/axons/{axon}/publish", content=body, headers=headers)
        return answer.status_code, answer.json()["field"]

    assert refused(payload="x" * (4 * MIB + 1)) == (413, "payload")
    assert refused(payload="ä" * (2 * MIB) + "x") == (413, "payload")
    assert refused(origin="SYSTEM_EVENT") == (400, "origin")
    assert refused(event_type="") == (400, "event_type")
    assert refused(payload={"no": "string"}) == (400, "payload")
    assert refused(source=None) == (400, "source")
    assert refused(payload="\ud800") == (400, "payload")
    assert http.post(f"/v1/axons/{axon}/publish", content=b"x" * 26 * MIB).status_code == 413
    assert http.post(f"/v1/axons/{axon}/publish", json=event("ä" * (2 * MIB))).json()["sequence"] == 1


def test_a_repeated_request_publishes_nothing_twice(http: httpx.Client, client: Runloop, axon: str) -> None:
    def publish(key: str, axon_id: str = axon) -> object:
        answer = http.post(f"/v1/axons/{axon_id}/publish", json=event(), headers={"x-request-id": key})
        assert answer.status_code == 200
        return answer.json()

    first = publish("a")
    publish("b")
    assert publish("a") == first
    assert client.axons.events.list(axon).total_count == 2
    assert publish("a", client.axons.create().id) != first


def test_a_hundred_publishers_get_contiguous_sequences(server: ServerProcess, client: Runloop, axon: str) -> None:
    answered = asyncio.run(publish_many(server, axon, 1000, 100))
    assert_contiguous(list(answered.values()), 1000)
    page = client.axons.events.list(axon, limit=5000)
    assert page.total_count == 1000
    assert {int(one.payload): one.sequence for one in page.events} == answered
