"""claude_json, codex_json and pi_json."""

from typing import Any

from tests.unit.broker.talking import Talk


def _types(published: list[tuple[str, Any]]) -> list[str]:
    return [name for name, _ in published]


QUERY: dict[str, Any] = {"type": "user", "message": {"role": "user", "content": "hello"}, "session_id": ""}


def test_claude_has_a_turn_for_each_query() -> None:
    talk = Talk("claude_json")
    taken, frames, published = talk.hear("query", QUERY)
    assert (taken, frames, _types(published)) == (True, [QUERY], ["turn.started"])
    assert not talk.hear("query", QUERY)[0]
    said: dict[str, Any] = {"type": "assistant", "message": {"content": []}, "session_id": "c"}
    assert talk.say(said) == ([], [("assistant", said)])
    _, published = talk.say({"type": "result", "subtype": "success", "is_error": False, "session_id": "c"})
    assert _types(published) == ["result", "turn.completed"]
    assert published[1][1]["stop_reason"] == "success"


def test_claude_is_resumed_by_its_command_line() -> None:
    talk = Talk("claude_json")
    assert talk.arguments("--model", "x")[-2:] == ["--model", "x"]
    talk.say({"type": "system", "subtype": "init", "session_id": "c"})
    assert talk.arguments()[-2:] == ["--resume", "c"]


def test_claude_fails_a_turn_that_ends_with_an_error() -> None:
    talk = Talk("claude_json")
    talk.hear("query", QUERY)
    _, published = talk.say({"type": "result", "subtype": "success", "is_error": True, "result": "API Error"})
    assert published[1][0] == "turn.failed"
    assert published[1][1]["error"] == "API Error"


def test_claude_is_granted_a_tool_where_nobody_answers() -> None:
    talk = Talk("claude_json")
    request: dict[str, Any] = {"subtype": "can_use_tool", "tool_name": "Bash", "input": {"command": "ls"}}
    talk.say({"type": "control_request", "request_id": "r", "request": request})
    granted: dict[str, Any] = {"behavior": "allow", "updatedInput": {"command": "ls"}}
    response: dict[str, Any] = {"subtype": "success", "request_id": "r", "response": granted}
    assert talk.overdue() == [{"type": "control_response", "response": response}]


def test_claude_is_given_a_clients_answer_once() -> None:
    talk = Talk("claude_json")
    talk.say({"type": "control_request", "request_id": "r", "request": {"subtype": "can_use_tool", "input": {}}})
    answer: dict[str, Any] = {
        "type": "control_response",
        "response": {"subtype": "success", "request_id": "r", "response": {}},
    }
    assert talk.hear("control_response", answer)[1] == [answer]
    assert talk.overdue() == []


def _codex() -> Talk:
    talk = Talk("codex_json")
    talk.hear("initialize", {"id": 0, "method": "initialize", "params": {"clientInfo": {"name": "t"}}})
    talk.say({"id": 0, "result": {}})
    talk.hear("initialized", {"method": "initialized"})
    talk.hear("thread/start", {"id": 1, "method": "thread/start", "params": {}})
    talk.say({"id": 1, "result": {"thread": {"id": "th"}}})
    return talk


TURN: dict[str, Any] = {"id": 2, "method": "turn/start", "params": {"threadId": "th", "input": []}}


def test_codex_has_a_turn_from_its_start_to_its_completion() -> None:
    talk = _codex()
    taken, frames, published = talk.hear("turn/start", TURN)
    assert (taken, frames, _types(published)) == (True, [TURN], ["turn.started"])
    assert talk.say({"id": 2, "result": {"turn": {"id": "tu"}}})[1][0][0] == "response"
    _, frames, _ = talk.hear("turn/interrupt", {"id": 3, "method": "turn/interrupt", "params": {"turnId": "made up"}})
    assert frames[0]["params"] == {"threadId": "th", "turnId": "tu"}
    done: dict[str, Any] = {"method": "turn/completed", "params": {"turn": {"id": "tu", "status": "interrupted"}}}
    _, published = talk.say(done)
    assert published[0] == ("turn/completed", done)
    assert published[1][1]["stop_reason"] == "interrupted"


def test_codex_takes_its_thread_up_again() -> None:
    talk = _codex()
    [first], _ = talk.new_process()
    assert (first["id"], first["method"]) == ("runloop-broker-1", "initialize")
    frames, published = talk.say({"id": "runloop-broker-1", "result": {}})
    assert published == []
    assert [frame["method"] for frame in frames] == ["initialized", "thread/resume"]
    assert frames[1]["params"] == {"threadId": "th"}
    assert not talk.hear("turn/start", TURN)[0]
    assert talk.say({"id": "runloop-broker-2", "result": {}}) == ([], [])
    assert talk.hear("turn/start", TURN)[0]


def test_codex_refuses_ids_of_the_brokers_own() -> None:
    talk = _codex()
    taken, frames, published = talk.hear("x", {"id": "runloop-broker-9", "method": "x"})
    assert (taken, frames, _types(published)) == (True, [], ["agent.error"])


def test_codex_is_granted_approvals_where_nobody_answers() -> None:
    talk = _codex()
    talk.say({"id": 8, "method": "item/commandExecution/requestApproval", "params": {}})
    talk.say({"id": 9, "method": "item/tool/requestUserInput", "params": {}})
    first, second = talk.overdue()
    assert first == {"id": 8, "result": {"decision": "accept"}}
    assert second["error"]["code"] == -32603


def test_pi_has_a_turn_until_it_has_settled() -> None:
    talk = Talk("pi_json")
    _, frames, published = talk.hear("turn/start", {"type": "prompt", "message": "hello"})
    assert frames == [
        {"type": "prompt", "message": "hello", "id": "broker-1"},
        {"type": "get_state", "id": "broker-2"},
    ]
    assert _types(published) == ["turn.started"]
    state: dict[str, Any] = {"type": "response", "command": "get_state", "id": "broker-2", "success": True}
    assert talk.say({**state, "data": {"sessionFile": "/s.jsonl"}}) == ([], [])
    assert _types(talk.say({"type": "agent_end", "messages": []})[1]) == ["agent_end"]
    talk.say({"type": "message_end", "message": {"role": "assistant", "stopReason": "length"}})
    _, published = talk.say({"type": "agent_settled"})
    assert published[1][1]["stop_reason"] == "MaxTokens"
    [frame], _ = talk.new_process()
    assert (frame["type"], frame["sessionPath"]) == ("switch_session", "/s.jsonl")


def test_pi_of_before_it_said_that_it_has_settled_is_asked() -> None:
    talk = Talk("pi_json")
    talk.hear("turn/start", {"type": "prompt", "message": "hello"})
    talk.say({"type": "agent_end", "messages": []})
    [look] = talk.overdue()
    assert look["type"] == "get_state"
    answer: dict[str, Any] = {"type": "response", "command": "get_state", "id": look["id"], "success": True}
    assert talk.say({**answer, "data": {"isStreaming": True}}) == ([], [])
    [look] = talk.overdue()
    _, published = talk.say({**answer, "id": look["id"], "data": {"isStreaming": False}})
    assert [(name, said["stop_reason"]) for name, said in published] == [("turn.completed", "EndTurn")]


def test_pi_refuses_a_prompt() -> None:
    talk = Talk("pi_json")
    talk.hear("turn/start", {"type": "prompt", "message": "hello", "id": "mine"})
    refused: dict[str, Any] = {
        "type": "response",
        "command": "prompt",
        "id": "mine",
        "success": False,
        "error": "no model",
    }
    _, published = talk.say(refused)
    assert _types(published) == ["response", "turn.failed"]
    assert (published[1][1]["error"], published[1][1]["stop_reason"]) == ("no model", "Error")


def test_pi_is_asked_for_its_state_and_told_to_stop() -> None:
    talk = Talk("pi_json")
    [frame] = talk.hear("initialize")[1]
    assert frame["type"] == "get_state"
    answer: dict[str, Any] = {
        "type": "response",
        "command": "get_state",
        "id": frame["id"],
        "success": True,
        "data": {},
    }
    assert talk.say(answer)[1] == [("response", answer)]
    assert talk.hear("cancel")[1] == [{"type": "abort"}]
    assert talk.hear("anything", {"type": "set_model", "provider": "x"})[1] == [{"type": "set_model", "provider": "x"}]
    assert _types(talk.hear("anything", {"no": "type"})[2]) == ["agent.error"]
