"""Transcripts of the four protocols' events, and of what no protocol says."""

import json
from typing import Any

import pytest

from loopyard.axon.event.event import Event
from loopyard.axon.event.origins import Origin
from loopyard.console.axons.reading.entry import Entry
from loopyard.console.axons.reading.transcript import transcript

USER, AGENT, SYSTEM = Origin.USER_EVENT, Origin.AGENT_EVENT, Origin.SYSTEM_EVENT


def _read(*events: tuple[Origin, str, Any]) -> list[Entry]:
    made = [
        Event(
            "axn_x",
            number,
            1000 + number,
            origin,
            name,
            "broker",
            given if isinstance(given, str) else json.dumps(given),
        )
        for number, (origin, name, given) in enumerate(events, 1)
    ]
    return list(transcript(made))


def _short(entries: list[Entry]) -> list[tuple[str, str]]:
    return [(one.kind, one.text) for one in entries]


def _update(**fields: Any) -> tuple[Origin, str, Any]:
    return AGENT, "session/update", {"sessionId": "s", "update": fields}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def test_acp_pieces_become_one_message_and_output_joins_its_call() -> None:
    entries = _read(
        (
            USER,
            "session/prompt",
            {"sessionId": "s", "prompt": [_text("fix it"), {"type": "resource_link", "uri": "f"}]},
        ),
        (SYSTEM, "turn.started", {"turn_id": "t"}),
        _update(sessionUpdate="agent_thought_chunk", content=_text("hm")),
        _update(sessionUpdate="agent_message_chunk", content=_text("I ")),
        _update(sessionUpdate="agent_message_chunk", content=_text("look")),
        _update(sessionUpdate="tool_call", toolCallId="c", title="ls", status="pending", rawInput={"command": "ls"}),
        _update(sessionUpdate="agent_message_chunk", content=_text("done")),
        _update(
            sessionUpdate="tool_call_update",
            toolCallId="c",
            status="completed",
            content=[{"type": "content", "content": _text("a.py")}],
        ),
        _update(sessionUpdate="plan", entries=[{"content": "one", "status": "pending"}]),
        (AGENT, "session/prompt", {"stopReason": "end_turn"}),
        (SYSTEM, "turn.completed", {"turn_id": "t", "stop_reason": "end_turn"}),
    )
    assert _short(entries) == [
        ("user", "fix it\n[resource_link f]"),
        ("turn", "Turn begins"),
        ("thought", "hm"),
        ("agent", "I look"),
        ("tool", '{\n  "command": "ls"\n}'),
        ("agent", "done"),
        ("plan", "[pending] one"),
        ("turn", "Turn ends: end_turn"),
    ]
    assert (entries[4].title, entries[4].status, entries[4].output) == ("ls", "completed", "a.py")


def test_claude() -> None:
    def said(role: str, *content: dict[str, Any]) -> tuple[Origin, str, Any]:
        return AGENT, role, {"type": role, "message": {"role": role, "content": list(content)}}

    entries = _read(
        (USER, "query", {"type": "user", "message": {"role": "user", "content": "hello"}}),
        (AGENT, "system", {"type": "system", "subtype": "init", "model": "m"}),
        said("assistant", {"type": "thinking", "thinking": "hm"}, _text("I look")),
        said("assistant", {"type": "tool_use", "id": "c", "name": "Bash", "input": {"command": "ls"}}),
        said("user", {"type": "tool_result", "tool_use_id": "c", "content": [_text("no")], "is_error": True}),
        (AGENT, "result", {"type": "result", "subtype": "success", "num_turns": 2, "total_cost_usd": 0.25}),
    )
    assert [one.kind for one in entries] == ["user", "note", "thought", "agent", "tool", "note"]
    assert (entries[4].title, entries[4].status, entries[4].output) == ("Bash", "failed", "no")
    assert entries[5].detail == {"turns": "2", "cost in USD": "0.25"}


def test_codex() -> None:
    def item(when: str, **fields: Any) -> tuple[Origin, str, Any]:
        return AGENT, f"item/{when}", {"method": f"item/{when}", "params": {"item": fields}}

    entries = _read(
        (USER, "turn/start", {"id": 2, "method": "turn/start", "params": {"input": [_text("go")]}}),
        (AGENT, "response", {"id": 2, "result": {"turn": {"id": "t"}}}),
        item("started", type="agentMessage", id="a", text=""),
        (AGENT, "item/agentMessage/delta", {"method": "item/agentMessage/delta", "params": {"delta": "I"}}),
        item("completed", type="agentMessage", id="a", text="I look"),
        item("completed", type="reasoning", id="r", summary=["hm", "so"], content=[]),
        item("started", type="commandExecution", id="c", command="ls", status="inProgress"),
        item(
            "completed",
            type="commandExecution",
            id="c",
            command="ls",
            exitCode=1,
            aggregatedOutput="no",
            status="failed",
        ),
        (AGENT, "response", {"id": 3, "error": {"code": 1, "message": "bad"}}),
        (AGENT, "new/thing", {"method": "new/thing", "params": {"x": 1}}),
    )
    assert [one.kind for one in entries] == ["user", "agent", "thought", "tool", "problem", "unknown"]
    assert (entries[3].status, entries[3].output, entries[2].text) == ("failed, exit status 1", "no", "hm\nso")


def test_pi() -> None:
    call = {"type": "toolCall", "id": "c", "name": "bash", "arguments": {"command": "ls"}}
    entries = _read(
        (USER, "turn/start", {"type": "prompt", "message": "go"}),
        (AGENT, "message_end", {"type": "message_end", "message": {"role": "user", "content": "go"}}),
        (AGENT, "message_update", {"type": "message_update"}),
        (
            AGENT,
            "message_end",
            {"type": "message_end", "message": {"role": "assistant", "content": [_text("I"), call]}},
        ),
        (
            AGENT,
            "tool_execution_start",
            {"type": "tool_execution_start", "toolCallId": "c", "toolName": "bash", "args": {}},
        ),
        (
            AGENT,
            "tool_execution_end",
            {"type": "tool_execution_end", "toolCallId": "c", "result": {"content": [_text("a.py")]}, "isError": False},
        ),
        (AGENT, "response", {"type": "response", "success": False, "error": "refused"}),
    )
    assert [one.kind for one in entries] == ["user", "agent", "tool", "problem"]
    assert (entries[2].title, entries[2].status, entries[2].output) == ("bash", "completed", "a.py")


def test_what_no_protocol_says_is_shown_as_it_is() -> None:
    entries = _read((AGENT, "hello", {"a": [1]}), (USER, "x", "no json"), (AGENT, "y", "[1]"), (USER, "z", ""))
    assert _short(entries) == [
        ("unknown", '{\n  "a": [\n    1\n  ]\n}'),
        ("unknown", "no json"),
        ("unknown", "[\n  1\n]"),
        ("unknown", "null"),
    ]


_NAMES = [
    "session/update",
    "session/prompt",
    "session/request_permission",
    "assistant",
    "user",
    "query",
    "system",
    "result",
    "control_request",
    "response",
    "item/completed",
    "turn/start",
    "message_end",
    "tool_execution_start",
    "tool_execution_end",
    "turn.failed",
    "agent.error",
    "error",
]
_DEEP = '{"type":"content","content":' * 900 + "1" + "}" * 900


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize("origin", [USER, AGENT, SYSTEM])
def test_nothing_that_an_agent_says_breaks_a_transcript(name: str, origin: Origin) -> None:
    values: list[Any] = [None, 1, "x", [], {}, [None, 1, "x", [], {}], {"type": 1, "content": [1]}, True]
    keys = [
        "type",
        "message",
        "content",
        "update",
        "params",
        "item",
        "prompt",
        "input",
        "result",
        "toolCall",
        "entries",
        "changes",
        "id",
        "summary",
        "method",
    ]
    payloads: list[Any] = [*values, *({key: value} for key in keys for value in values)]
    payloads += [{"type": name, "message": {"content": value, "role": "assistant"}} for value in values]
    payloads += [
        {"method": name, "params": {"item": {"type": kind, "command": value, "changes": value, "summary": value}}}
        for kind in ("agentMessage", "reasoning", "commandExecution", "fileChange", "mcpToolCall", "x")
        for value in values
    ]
    payloads += [
        {"update": {"sessionUpdate": kind, "content": value, "entries": value, "rawInput": value}}
        for kind in ("agent_message_chunk", "tool_call", "plan", "x")
        for value in values
    ]
    raw = [json.dumps(one) for one in payloads]
    raw += [
        f'{{"update":{{"sessionUpdate":"tool_call","content":{_DEEP},"rawInput":{_DEEP}}}}}',
        f'{{"prompt":{_DEEP}}}',
        _DEEP,
    ]
    for entry in _read(*((origin, name, one) for one in raw)):
        assert isinstance(entry.text, str)
        assert isinstance(entry.title, str)
        assert isinstance(entry.output, str)
