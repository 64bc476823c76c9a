"""Trajectories made of recordings."""

import io
import itertools
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from loopyard.cli import app
from loopyard.model_usage.metering.apis import Api
from loopyard.model_usage.trajectory.atif import Names, NothingRecorded, trajectory
from loopyard.model_usage.trajectory.source import load
from loopyard.model_usage.trajectory.turns import read
from tests.unit.model_usage.trajectory.checking import check

NAMES = Names("scr_1", "mine", "2.0")
_numbers = itertools.count(1)


def line(api: Api, request: Any, response: Any, **usage: Any) -> dict[str, Any]:
    number = next(_numbers)
    tokens = {"input": 100, "output": 10, "cache_read": 50}
    told = {"outcome": "counted", "tokens": tokens, "model": "m", "nano_usd": 10**9}
    return {
        "id": f"gwx_{number:06}",
        "api": api.value,
        "start_time_ms": 1_764_460_800_000 + number,
        "request": {"body": request, "is_cut": False},
        "response": {"status": 200, "body": response, "is_cut": False},
        "usage": {**told, **usage},
    }


def calls_a_tool(api: Api) -> list[dict[str, Any]]:
    """Two calls: the model thinks, calls a tool, gets the result, and says that it is done."""
    match api:
        case Api.CHAT:
            tool = {"id": "t1", "type": "function", "function": {"name": "bash", "arguments": '{"command": "ls"}'}}
            start: list[Any] = [{"role": "system", "content": "Be good."}, {"role": "user", "content": "Do it."}]
            said = {"role": "assistant", "content": "Let me look.", "tool_calls": [tool]}
            tools = [{"type": "function", "function": {"name": "bash", "parameters": {"type": "object"}}}]
            result = {"role": "tool", "tool_call_id": "t1", "content": "a.txt"}
            done = {"role": "assistant", "content": "Done."}
            return [
                line(api, {"messages": start, "tools": tools}, {"choices": [{"message": {**said, "reasoning": "hm"}}]}),
                line(api, {"messages": [*start, said, result], "tools": tools}, {"choices": [{"message": done}]}),
            ]
        case Api.RESPONSES:
            given = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Do it."}]}]
            output: list[Any] = [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me look."}]},
                {"type": "function_call", "call_id": "t1", "name": "bash", "arguments": '{"command": "ls"}'},
            ]
            result = {"type": "function_call_output", "call_id": "t1", "output": "a.txt"}
            done = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done."}]}]
            tools = [{"type": "function", "name": "bash", "parameters": {"type": "object"}}]
            asked = {"instructions": "Be good.", "tools": tools}
            return [
                line(api, {**asked, "input": given}, {"id": "r1", "output": output}),
                line(api, {**asked, "input": [*given, *output, result]}, {"id": "r2", "output": done}),
            ]
        case Api.MESSAGES:
            start = [{"role": "user", "content": "Do it."}]
            content: list[Any] = [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "Let me look."},
                {"type": "tool_use", "id": "t1", "name": "bash", "input": {"command": "ls"}},
            ]
            result = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "a.txt"}]}
            tools = [{"name": "bash", "input_schema": {"type": "object"}}]
            asked = {"system": [{"type": "text", "text": "Be good."}], "tools": tools}
            later = [*start, {"role": "assistant", "content": content[1:]}, {"role": "user", "content": [result]}]
            return [
                line(api, {**asked, "messages": start}, {"content": content}),
                line(api, {**asked, "messages": later}, {"content": [{"type": "text", "text": "Done."}]}),
            ]
        case Api.GEMINI:
            start = [{"role": "user", "parts": [{"text": "Do it."}]}]
            parts: list[Any] = [
                {"text": "hm", "thought": True},
                {"text": "Let me look."},
                {"functionCall": {"id": "t1", "name": "bash", "args": {"command": "ls"}}},
            ]
            result = {"functionResponse": {"id": "t1", "name": "bash", "response": {"output": "a.txt"}}}
            tools = [{"functionDeclarations": [{"name": "bash", "parameters": {"type": "object"}}]}]
            asked = {"systemInstruction": {"parts": [{"text": "Be good."}]}, "tools": tools}
            later = [*start, {"role": "model", "parts": parts[1:]}, {"role": "user", "parts": [result]}]
            done = {"role": "model", "parts": [{"text": "Done."}]}
            return [
                line(api, {**asked, "contents": start}, {"candidates": [{"content": {"parts": parts}}]}),
                line(api, {**asked, "contents": later}, {"candidates": [{"content": done}]}),
            ]


@pytest.mark.parametrize("api", sorted(Api))
def test_a_conversation_becomes_steps(api: Api) -> None:
    made = trajectory(calls_a_tool(api), NAMES)
    check(made)
    system, user, first, second = made["steps"]
    assert (system["source"], system["message"]) == ("system", "Be good.")
    assert (user["source"], user["message"]) == ("user", "Do it.")
    assert (first["message"], first["reasoning_content"]) == ("Let me look.", "hm")
    assert first["tool_calls"] == [{"tool_call_id": "t1", "function_name": "bash", "arguments": {"command": "ls"}}]
    (result,) = first["observation"]["results"]
    assert result["source_call_id"] == "t1"
    assert "a.txt" in result["content"]
    assert (second["message"], "tool_calls" in second) == ("Done.", False)
    assert first["metrics"] == {**first["metrics"], "prompt_tokens": 100, "cached_tokens": 50, "cost_usd": 1.0}
    assert made["agent"]["name"] == "mine"
    assert made["agent"]["tool_definitions"][0]["function"]["name"] == "bash"
    assert made["final_metrics"] == {
        "total_prompt_tokens": 200,
        "total_completion_tokens": 20,
        "total_cached_tokens": 100,
        "total_cost_usd": 2.0,
        "total_steps": 4,
    }
    assert "subagent_trajectories" not in made


def test_other_conversations_are_subagents() -> None:
    asked = {"messages": [{"role": "user", "content": "A title?"}]}
    side = line(Api.CHAT, asked, {"choices": [{"message": {"content": "T"}}]})
    made = trajectory([side, *calls_a_tool(Api.MESSAGES)], NAMES)
    check(made)
    assert len(made["steps"]) == 4
    (other,) = made["subagent_trajectories"]
    assert [step["message"] for step in other["steps"]] == ["A title?", "T"]
    assert made["final_metrics"]["total_cost_usd"] == 3.0


def test_a_response_that_names_the_one_before_goes_on_from_it() -> None:
    def said(text: str, name: str) -> dict[str, Any]:
        return {"id": name, "output": [{"type": "message", "role": "assistant", "content": text}]}

    made = trajectory(
        [
            line(Api.RESPONSES, {"input": "one"}, said("1", "r1")),
            line(Api.RESPONSES, {"input": "two", "previous_response_id": "r1"}, said("2", "r2")),
        ],
        NAMES,
    )
    check(made)
    assert [step["message"] for step in made["steps"]] == ["one", "1", "two", "2"]


def test_calls_that_fail_are_counted_and_leave_no_step() -> None:
    first, second = calls_a_tool(Api.CHAT)
    failed = {**second, "id": "gwx_9", "start_time_ms": second["start_time_ms"] - 1, "response": None}
    made = trajectory([first, failed, second], NAMES)
    check(made)
    assert len(made["steps"]) == 4
    assert made["extra"] == {"unanswered_calls": 1}


def test_reminders_that_come_and_go_do_not_split_a_conversation() -> None:
    first, second = calls_a_tool(Api.MESSAGES)
    second["request"]["body"]["messages"][2]["content"].append({"type": "text", "text": "<reminder>"})
    third_body = json.loads(json.dumps(second["request"]["body"]))
    third_body["messages"][2]["content"].pop()
    third_body["messages"] += [{"role": "assistant", "content": "Done."}, {"role": "user", "content": "More."}]
    third = line(Api.MESSAGES, third_body, {"content": [{"type": "text", "text": "Yes."}]})
    made = trajectory([first, second, third], NAMES)
    check(made)
    assert "subagent_trajectories" not in made
    assert [step["message"] for step in made["steps"]][-3:] == ["Done.", "More.", "Yes."]


def test_what_the_model_is_said_to_have_said_before_is_copied() -> None:
    said = (("user", "q"), ("assistant", "old"), ("user", "n"))
    messages = [{"role": role, "content": text} for role, text in said]
    made = trajectory([line(Api.CHAT, {"messages": messages}, {"choices": [{"message": {"content": "a"}}]})], NAMES)
    check(made)
    assert [step.get("is_copied_context") for step in made["steps"]] == [None, True, None, None]


def test_tokens_that_are_not_known_are_not_told() -> None:
    first, _ = calls_a_tool(Api.CHAT)
    first["usage"] = {"outcome": "cut_off", "tokens": {"input": 5}, "model": ""}
    made = trajectory([first], NAMES)
    check(made)
    assert made["steps"][-1]["metrics"] == {"extra": {"call_id": first["id"], "outcome": "cut_off"}}


@pytest.mark.parametrize("lines", [[], [{"full": True}], [{"api": "openai-chat"}], [{"api": "x", "id": "1"}]])
def test_nothing_is_made_of_nothing(lines: list[dict[str, Any]]) -> None:
    with pytest.raises(NothingRecorded):
        trajectory(lines, NAMES)


_MEMBERS = [
    "messages",
    "input",
    "output",
    "contents",
    "parts",
    "role",
    "content",
    "type",
    "text",
    "tool_calls",
    "function",
    "arguments",
    "name",
    "id",
    "choices",
    "message",
    "candidates",
    "functionCall",
    "functionResponse",
    "tools",
    "call_id",
    "summary",
]
_JSON = st.recursive(
    st.none() | st.integers() | st.sampled_from(["text", "message", "assistant", "function_call", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(_MEMBERS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(_JSON, _JSON, st.sampled_from(sorted(Api)))
@settings(max_examples=200, deadline=None)
def test_odd_requests_and_answers_never_raise(request: Any, response: Any, api: Api) -> None:
    read(api, request, response)
    good = calls_a_tool(Api.CHAT)
    check(trajectory([*good, line(api, request, response)], NAMES))


def test_the_command_reads_logs_and_files(tmp_path: Path) -> None:
    recorded = "".join(json.dumps(one) + "\n" for one in calls_a_tool(Api.CHAT)) + '{"id": "cut o'
    logs = io.BytesIO()
    with zipfile.ZipFile(logs, "w") as archive:
        archive.writestr("run.json", json.dumps({"id": "scr_9", "metadata": {"agent": "theirs"}}))
        archive.writestr("model_calls.jsonl", recorded)
    (tmp_path / "logs.zip").write_bytes(logs.getvalue())
    (tmp_path / "model_calls.jsonl").write_text(recorded)
    told = CliRunner().invoke(app, ["trajectory", str(tmp_path / "logs.zip"), "--agent-version", "3"])
    assert told.exit_code == 0, told.output
    made = json.loads(told.stdout)
    check(made)
    assert (made["session_id"], made["agent"]["name"], made["agent"]["version"]) == ("scr_9", "theirs", "3")
    out = tmp_path / "t.json"
    asked = [str(tmp_path / "model_calls.jsonl"), "--agent", "x", "--out", str(out)]
    told = CliRunner().invoke(app, ["trajectory", *asked])
    assert (told.exit_code, told.output) == (0, "")
    assert len(json.loads(out.read_text())["steps"]) == 4


def test_the_command_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNLOOP_BASE_URL", raising=False)
    (tmp_path / "empty.jsonl").write_text("")
    with zipfile.ZipFile(tmp_path / "logs.zip", "w") as archive:
        archive.writestr("run.json", "{}")
    for source, status, text in (
        (str(tmp_path / "none"), 2, "neither a file nor the id"),
        ("scr_1", 2, "set RUNLOOP_BASE_URL"),
        (str(tmp_path / "logs.zip"), 2, "loopyard.record_model_calls"),
        (str(tmp_path / "empty.jsonl"), 1, "no answered call"),
    ):
        told = CliRunner().invoke(app, ["trajectory", source])
        assert told.exit_code == status
        assert text in told.output
    assert load(str(tmp_path / "empty.jsonl")) == ([], Names("empty"))
