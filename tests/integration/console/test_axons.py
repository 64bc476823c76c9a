"""SQL and transcripts of axons in pages."""

import json
from collections.abc import Generator
from typing import Any

import pytest
from runloop_api_client import Runloop

from tests.console import Console
from tests.serving import ServerProcess

HOSTILE = "<script>alert(1)</script>\u202egnp.exe"


@pytest.fixture
def axon(client: Runloop) -> Generator[str]:
    made = client.axons.create(name="console's")
    yield made.id
    client.axons.delete(made.id)


def _say(client: Runloop, axon: str, event_type: str, payload: Any, origin: Any = "AGENT_EVENT") -> None:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    client.axons.publish(axon, event_type=event_type, origin=origin, payload=text, source="broker")


def _safe(html: str) -> str:
    assert "<script>alert" not in html
    assert "\u202e" not in html
    return html


def test_statements_are_run_and_shown(console: Console, client: Runloop, axon: str) -> None:
    _say(client, axon, "told", {"x": HOSTILE})
    form = _safe(console.page(f"/axons/{axon}/sql"))
    assert "FROM rl_axon_events" in form
    made = console.change(f"/axons/{axon}/sql", {"sql": "CREATE TABLE t (a TEXT, b)"}, expect=200)
    assert "It gave no rows." in made.text
    insert = {"sql": "INSERT INTO t VALUES (?, ?)", "params": json.dumps([HOSTILE, 7])}
    assert "1 changed" in console.change(f"/axons/{axon}/sql", insert, expect=200).text
    select = f"SELECT *, NULL AS '{HOSTILE}' FROM t"  # noqa: S608
    found = _safe(console.change(f"/axons/{axon}/sql", {"sql": select}, expect=200).text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩gnp.exe" in found
    assert '<td class="number">7</td><td><small>NULL</small></td>' in found
    events = _safe(console.change(f"/axons/{axon}/sql", {"sql": "SELECT payload FROM rl_axon_events"}, expect=200).text)
    assert "U+202E" in events or "\\u202e" in events
    kept = console.change(f"/axons/{axon}/sql", {"sql": "SELECT a FROM t", "download": "json"}, expect=200)
    assert kept.headers["content-disposition"].startswith("attachment")
    assert json.loads(kept.content)["rows"] == [[HOSTILE]]
    assert client.axons.sql.query(axon, sql="SELECT b FROM t").rows == [[7]]


def test_results_are_bounded(console: Console, axon: str) -> None:
    many = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
        "SELECT i, printf('%.5000c', 'x') FROM n"
    )
    html = console.change(f"/axons/{axon}/sql", {"sql": many}, expect=200).text
    assert "Shown are the first 200 rows" in html
    assert "There are more" in html
    assert len(html) < 300_000
    wide = "SELECT " + ", ".join(f"{number} AS c{number}" for number in range(300))
    assert "and 40 of 300 columns" in console.change(f"/axons/{axon}/sql", {"sql": wide}, expect=200).text


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"sql": f"SELEC '{HOSTILE}'"}, "syntax error"),
        ({"sql": "SELECT 1", "params": "{"}, "params: write a JSON array"),
        ({"sql": "SELECT 1", "params": '{"a": 1}'}, "params"),
        ({"sql": "SELECT ?", "params": "[[1]]"}, "params.0"),
        ({"sql": "SELECT ?", "params": "[" * 100_000}, "params: write a JSON array"),
        ({"sql": ""}, "sql"),
        ({"sql": "SELECT '\0'"}, "sql"),
        ({"sql": "DELETE FROM rl_axon_events"}, "rl_axon_events"),
        ({"sql": "ATTACH '/etc/passwd' AS x"}, "ATTACH"),
    ],
)
def test_what_is_wrong_with_a_statement_is_said_beside_it(
    console: Console, axon: str, given: dict[str, str], told: str
) -> None:
    html = _safe(console.change(f"/axons/{axon}/sql", given, expect=400).text)
    problem = html.partition('role="alert">')[2].partition("</p>")[0]
    assert told.lower() in problem.lower()
    assert "<textarea" in html


def test_an_axon_that_is_not_there_is_not_found(console: Console) -> None:
    for path in ("sql", "transcript", "transcript/live"):
        console.page(f"/axons/axn_00000000000000000000000000/{path}", expect=404)
    console.change("/axons/axn_00000000000000000000000000/sql", {"sql": "SELECT 1"}, expect=404)


def test_a_key_that_only_reads_is_offered_no_sql(server: ServerProcess, client: Runloop, axon: str) -> None:
    key = client.restricted_keys.create(
        name="reads", scopes=[{"access_level": "ACCESS_LEVEL_READ", "resource_type": "RESOURCE_TYPE_DEVBOXES"}]
    )
    with Console(server.base_url) as console:
        console.log_in(str(key.key_secret))
        assert "/sql" not in console.page(f"/axons/{axon}")
        assert "/transcript" in console.page(f"/axons/{axon}/transcript")
        console.page(f"/axons/{axon}/sql", expect=403)
        console.change(f"/axons/{axon}/sql", {"sql": "SELECT 1"}, expect=403)


def test_statements_need_the_token_of_the_page(console: Console, axon: str) -> None:
    assert console.post(f"/console/axons/{axon}/sql", data={"sql": "CREATE TABLE u (a)"}).status_code == 403


def test_a_transcript_tells_what_was_said_and_done(console: Console, client: Runloop, axon: str) -> None:
    assert "Nothing has been said here" in console.page(f"/axons/{axon}/transcript")
    _say(client, axon, "query", {"type": "user", "message": {"content": f"fix it {HOSTILE}"}}, "USER_EVENT")
    call = {"type": "tool_use", "id": "c", "name": f"Bash{HOSTILE}", "input": {"command": HOSTILE}}
    _say(client, axon, "assistant", {"message": {"content": [{"type": "text", "text": f"I look {HOSTILE}"}, call]}})
    told = {"type": "tool_result", "tool_use_id": "c", "content": f"\x1b[31mred\x1b[0m \x1b]52;c;aGk=\x07{HOSTILE}"}
    _say(client, axon, "user", {"message": {"content": [told]}})
    _say(client, axon, "assistant", {"message": {"content": [{"type": "text", "text": "x" * 3_000_000}]}})
    html = _safe(console.page(f"/axons/{axon}/transcript"))
    assert "Earlier" in html
    assert "and 2,994,000 more characters" in html
    assert len(html) < 100_000
    html = _safe(console.page(f"/axons/{axon}/transcript?until=3"))
    assert "fix it &lt;script&gt;" in html
    assert "I look &lt;script&gt;" in html
    assert '<span class="a-f1">red</span>' in html
    assert "\x1b" not in html
    assert html.count('class="t-tool"') == 1
    _say(client, axon, HOSTILE, {HOSTILE: 1})
    assert "&lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩gnp.exe" in _safe(console.page(f"/axons/{axon}/transcript"))
    console.page(f"/axons/{axon}/transcript?until=0", expect=400)


def test_a_transcript_goes_on_live(console: Console, client: Runloop, axon: str) -> None:
    said = {"update": {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "first "}}}
    _say(client, axon, "session/update", said)
    with console.stream("GET", f"/console/axons/{axon}/transcript/live") as stream:
        lines = stream.iter_lines()
        assert any("first" in line for line in lines)
        said["update"]["content"] = {"type": "text", "text": HOSTILE}
        _say(client, axon, "session/update", said)
        assert "first &lt;script&gt;" in _safe(next(line for line in lines if "script" in line))
