"""The Agent Client Protocol."""

from typing import Any

from tests.unit.broker.talking import Talk

PROMPT: dict[str, Any] = {"sessionId": "s", "prompt": [{"type": "text", "text": "hello"}]}
OPTIONS = [{"optionId": "no", "kind": "reject_once"}, {"optionId": "yes", "kind": "allow_always"}]


def _types(published: list[tuple[str, Any]]) -> list[str]:
    return [name for name, _ in published]


def _begun() -> Talk:
    talk = Talk("acp")
    talk.hear("initialize", {"protocolVersion": 1})
    talk.say({"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": 1, "agentCapabilities": {"loadSession": True}}})
    talk.hear("session/new", {"cwd": "/home/user", "mcpServers": []})
    talk.say({"jsonrpc": "2.0", "id": 2, "result": {"sessionId": "s"}})
    return talk


def test_requests_are_answered_under_their_method() -> None:
    talk = Talk("acp")
    taken, frames, published = talk.hear("initialize", {"protocolVersion": 1})
    assert (taken, published) == (True, [])
    assert frames == [{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": 1}}]
    assert talk.say({"jsonrpc": "2.0", "id": 1, "result": {"a": 1}}) == ([], [("initialize", {"a": 1})])


def test_a_turn_has_a_start_updates_and_an_end() -> None:
    talk = _begun()
    taken, frames, published = talk.hear("session/prompt", PROMPT)
    assert taken
    assert [frame["method"] for frame in frames] == ["session/prompt"]
    assert _types(published) == ["turn.started"]
    update: dict[str, Any] = {"jsonrpc": "2.0", "method": "session/update", "params": {"x": 1}}
    assert talk.say(update) == ([], [("session/update", {"x": 1})])
    _, ended = talk.say({"jsonrpc": "2.0", "id": 3, "result": {"stopReason": "max_tokens"}})
    assert ended[0] == ("session/prompt", {"stopReason": "max_tokens"})
    assert ended[1] == ("turn.completed", {"turn_id": published[0][1]["turn_id"], "stop_reason": "max_tokens"})


def test_a_second_prompt_waits_and_a_cancel_does_not() -> None:
    talk = _begun()
    talk.hear("session/prompt", PROMPT)
    assert talk.hear("session/prompt", PROMPT) == (False, [], [])
    taken, frames, _ = talk.hear("session/cancel", {"sessionId": "s"})
    assert taken
    assert frames == [{"jsonrpc": "2.0", "method": "session/cancel", "params": {"sessionId": "s"}}]


def test_no_turn_begins_while_the_devbox_comes_to_rest() -> None:
    talk = _begun()
    talk.rests = True
    assert talk.hear("session/prompt", PROMPT) == (False, [], [])


def test_a_second_request_of_one_method_waits_for_the_answer_to_the_first() -> None:
    talk = _begun()
    assert talk.hear("session/list", {})[0]
    assert not talk.hear("session/list", {})[0]
    talk.say({"jsonrpc": "2.0", "id": 3, "result": {}})
    assert talk.hear("session/list", {})[0]


def test_an_error_ends_the_turn() -> None:
    talk = _begun()
    talk.hear("session/prompt", PROMPT)
    _, published = talk.say({"jsonrpc": "2.0", "id": 3, "error": {"code": -32000, "message": "no model"}})
    assert _types(published) == ["agent.error", "turn.failed"]
    assert published[1][1]["error"] == "no model"


def test_a_client_answers_a_request_for_permission() -> None:
    talk = _begun()
    request: dict[str, Any] = {
        "jsonrpc": "2.0",
        "id": "p",
        "method": "session/request_permission",
        "params": {"options": OPTIONS},
    }
    assert talk.say(request) == ([], [("session/request_permission", {"options": OPTIONS})])
    answer: dict[str, Any] = {"outcome": {"outcome": "selected", "optionId": "no"}}
    assert talk.hear("session/request_permission", answer)[1] == [{"jsonrpc": "2.0", "id": "p", "result": answer}]
    assert talk.overdue() == []


def test_permission_is_granted_where_nobody_answers() -> None:
    talk = _begun()
    talk.say({"jsonrpc": "2.0", "id": 7, "method": "session/request_permission", "params": {"options": OPTIONS}})
    granted: dict[str, Any] = {"outcome": {"outcome": "selected", "optionId": "yes"}}
    assert talk.overdue() == [{"jsonrpc": "2.0", "id": 7, "result": granted}]


def test_another_request_gets_an_error_where_nobody_answers() -> None:
    talk = _begun()
    talk.say({"jsonrpc": "2.0", "id": 7, "method": "fs/read_text_file", "params": {"path": "/x"}})
    assert [frame["error"]["code"] for frame in talk.overdue()] == [-32603]


def test_a_new_process_takes_the_session_up_again() -> None:
    talk = _begun()
    talk.hear("session/prompt", PROMPT)
    frames, published = talk.new_process()
    assert _types(published) == ["turn.failed"]
    assert frames == [{"jsonrpc": "2.0", "id": 4, "method": "initialize", "params": {"protocolVersion": 1}}]
    assert talk.hear("session/prompt", PROMPT) == (False, [], [])
    frames, published = talk.say({"jsonrpc": "2.0", "id": 4, "result": {}})
    assert published == []
    params: dict[str, Any] = {"cwd": "/home/user", "mcpServers": [], "sessionId": "s"}
    assert frames == [{"jsonrpc": "2.0", "id": 5, "method": "session/load", "params": params}]
    replay: dict[str, Any] = {"jsonrpc": "2.0", "method": "session/update", "params": {}}
    assert talk.say(replay) == ([], [])
    assert talk.say({"jsonrpc": "2.0", "id": 5, "result": None}) == ([], [])
    assert talk.hear("session/prompt", PROMPT)[0]


def test_output_that_is_no_frame_is_told() -> None:
    talk = _begun()
    for line in (b"hello", b"[1]", b"\xff", b'{"jsonrpc":"2.0","id":99,"result":1}', b'{"a":"\\ud800"}'):
        assert _types(talk.say(line)[1]) == ["agent.error"]
    assert talk.say(b"  ") == ([], [])


def test_a_payload_that_is_no_object_is_told() -> None:
    talk = _begun()
    taken, frames, published = talk.hear("session/prompt", "text")
    assert (taken, frames, _types(published)) == (True, [], ["agent.error"])


def test_a_frame_that_is_too_large_ends_the_turn_if_it_may_be_the_answer() -> None:
    talk = _begun()
    talk.hear("session/prompt", PROMPT)
    assert _types(talk.oversized('{"jsonrpc":"2.0","method":"session/update","params":{"')[1]) == ["agent.error"]
    frames, _ = talk.oversized('{"jsonrpc":"2.0","id":9,"method":"fs/write_text_file","params":{"')
    assert [(frame["id"], frame["error"]["code"]) for frame in frames] == [(9, -32600)]
    assert _types(talk.oversized('{"jsonrpc":"2.0","id":3,"result":{"')[1]) == ["agent.error", "turn.failed"]


def test_what_was_asked_of_a_process_that_ended_is_told() -> None:
    talk = _begun()
    talk.hear("session/list", {})
    assert _types(talk.new_process()[1]) == ["agent.error"]
