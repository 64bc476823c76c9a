"""Events as a table, whatever database the server stores them in."""

from runloop_api_client import Runloop


def test_events_and_tables_are_read_and_joined(client: Runloop, axon: str) -> None:
    for number in range(3):
        client.axons.publish(axon, event_type="t", origin="AGENT_EVENT", payload=f'{{"n":{number}}}', source="s")
    client.axons.sql.query(axon, sql="CREATE TABLE seen(sequence INTEGER PRIMARY KEY, note TEXT)")
    done = client.axons.sql.query(axon, sql="INSERT INTO seen VALUES (?, ?), (?, ?)", params=[1, "a", 3, None])
    assert done.meta.changes == 2
    found = client.axons.sql.query(
        axon,
        sql="SELECT e.sequence, origin, json_extract(payload, '$.n') AS n, note FROM rl_axon_events e JOIN seen USING "
        "(sequence) ORDER BY e.sequence DESC",
    )
    assert found.rows == [[3, 2, 2, None], [1, 2, 0, "a"]]
    assert [(one.name, one.type) for one in found.columns] == [
        ("sequence", "INTEGER"),
        ("origin", "INTEGER"),
        ("n", ""),
        ("note", "TEXT"),
    ]
    assert found.meta.duration_ms > 0
    assert not found.meta.rows_read_limit_reached


def test_pages_and_offsets_are_those_of_the_sequences(client: Runloop, axon: str) -> None:
    for number in range(150):
        client.axons.publish(axon, event_type="t", origin="USER_EVENT", payload=str(number), source="s")
    page = client.axons.sql.query(
        axon,
        sql="SELECT sequence, payload FROM rl_axon_events ORDER BY sequence DESC LIMIT ? OFFSET ?",
        params=[2, 100],
    )
    assert page.rows == [[50, "49"], [49, "48"]]
    whole = client.axons.sql.query(axon, sql="SELECT sequence, payload FROM rl_axon_events WHERE origin = 3")
    assert whole.rows == [[number + 1, str(number)] for number in range(150)]
