"""Streamed answers are put together to what they would be otherwise."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loopyard.model_usage.metering.apis import Api
from loopyard.model_usage.recording.assembly import assemble, put_together
from tests.model_answers import ANSWERS, TEXT


def whole(name: str) -> Any:
    return assemble(ANSWERS[name].api, ANSWERS[name].body)


@pytest.mark.parametrize("name", ["chat", "responses", "messages", "gemini"])
def test_an_answer_that_is_whole_stays(name: str) -> None:
    assert whole(name) == json.loads(ANSWERS[name].body)


def test_a_chat() -> None:
    streamed, plain = whole("chat-stream"), whole("chat")
    assert {name: streamed[name] for name in ("id", "object", "model", "usage")} == {
        name: plain[name] for name in ("id", "object", "model", "usage")
    }
    (choice,) = streamed["choices"]
    assert choice["message"] == {"role": "assistant", "content": TEXT.replace(" ", "")}
    assert choice["finish_reason"] == "stop"


def test_a_chat_that_calls_tools() -> None:
    def delta(**delta: Any) -> dict[str, Any]:
        return {"choices": [{"index": 0, "delta": delta}]}

    def call(index: int, **more: Any) -> dict[str, Any]:
        return delta(tool_calls=[{"index": index, **more}])

    events = [
        delta(role="assistant", content=None, reasoning_content="I "),
        delta(reasoning_content="think"),
        call(0, id="call_1", type="function", function={"name": "bash", "arguments": ""}),
        call(0, function={"arguments": '{"a"'}),
        call(1, id="call_2", type="function", function={"name": "cat", "arguments": "{}"}),
        call(0, function={"arguments": ":1}"}),
        call(9, function={"arguments": "of no call"}),
    ]
    (choice,) = put_together(Api.CHAT, events)["choices"]
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "reasoning_content": "I think",
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "bash", "arguments": '{"a":1}'}},
            {"id": "call_2", "type": "function", "function": {"name": "cat", "arguments": "{}"}},
        ],
    }


def test_a_response_is_its_last_event() -> None:
    assert whole("responses-stream") == whole("responses")


def test_a_response_that_was_cut_off_has_what_came() -> None:
    body = ANSWERS["responses-stream"].body
    cut = assemble(Api.RESPONSES, body[: body.index(b"event: response.output_text.done")])
    assert cut["status"] == "in_progress"
    assert cut["output"][0]["content"][0]["text"].split() == TEXT.split()


def test_a_message() -> None:
    message = whole("messages-stream")
    assert message["content"][0]["text"].split() == TEXT.split()
    assert message["stop_reason"] == "end_turn"
    assert message["usage"]["output_tokens"] == 503
    assert message["usage"]["cache_read_input_tokens"] == 2048


def test_a_message_that_thinks_and_calls_tools() -> None:
    def block(index: int, **block: Any) -> dict[str, Any]:
        return {"type": "content_block_start", "index": index, "content_block": block}

    def delta(index: int, **delta: Any) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": index, "delta": delta}

    events = [
        block(0, type="thinking", thinking="", signature=""),
        delta(0, type="thinking_delta", thinking="hm"),
        delta(0, type="signature_delta", signature="sig"),
        block(1, type="tool_use", id="toolu_1", name="bash", input={}),
        delta(1, type="input_json_delta", partial_json='{"command": '),
        delta(1, type="input_json_delta", partial_json='"ls"}'),
        block(2, type="text", text="", citations=None),
        delta(2, type="citations_delta", citation={"cited_text": "x"}),
        {"type": "error", "error": {"type": "overloaded_error"}},
    ]
    message = put_together(Api.MESSAGES, events)
    assert message["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "tool_use", "id": "toolu_1", "name": "bash", "input": {"command": "ls"}},
        {"type": "text", "text": "", "citations": [{"cited_text": "x"}]},
    ]
    assert message["error"] == {"type": "overloaded_error"}


@pytest.mark.parametrize("name", ["gemini-stream", "gemini-array"])
def test_gemini(name: str) -> None:
    answer = whole(name)
    (candidate,) = answer["candidates"]
    assert candidate["content"] == {"role": "model", "parts": [{"text": f"{TEXT}usageMetadata!"}]}
    assert candidate["finishReason"] == "STOP"
    assert answer["usageMetadata"]["candidatesTokenCount"] == 120


def test_parts_of_gemini_that_differ_stay_apart() -> None:
    parts = [
        {"text": "a", "thought": True},
        {"text": "b"},
        {"functionCall": {"name": "f"}},
        {"text": "c"},
        {"text": "d"},
    ]
    events = [{"candidates": [{"content": {"parts": [part]}}]} for part in parts]
    (candidate,) = put_together(Api.GEMINI, events)["candidates"]
    assert candidate["content"]["parts"] == [*parts[:3], {"text": "cd"}]


def test_what_is_no_answer_is_nothing() -> None:
    for body in (b"", b"<html>", b"{broken", b"data: [DONE]\n\n"):
        for api in Api:
            assert assemble(api, body) is None


_NAMES = [
    "type",
    "index",
    "delta",
    "choices",
    "tool_calls",
    "function",
    "arguments",
    "content",
    "parts",
    "text",
    "candidates",
    "message",
    "content_block",
    "output_index",
    "response",
    "usage",
    "partial_json",
    "item",
]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["text", "message_start", "content_block_delta", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(_NAMES),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(st.lists(_JSON, max_size=6), st.sampled_from(sorted(Api)))
@settings(max_examples=300, deadline=None)
def test_odd_events_never_raise(events: list[Any], api: Api) -> None:
    json.dumps(put_together(api, events))
