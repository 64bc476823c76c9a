"""Messages of a request and of an answer, in one form for all APIs."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from loopyard.model_usage.metering.apis import Api

Role = Literal["system", "user", "agent"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model calls."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """Result of a tool."""

    call_id: str
    text: str


@dataclass(slots=True)
class ChatMessage:
    """Message of a conversation."""

    role: Role
    text: str = ""
    reasoning: str = ""
    calls: list[ToolCall] = field(default_factory=list[ToolCall])
    results: list[ToolResult] = field(default_factory=list[ToolResult])

    @property
    def fingerprint(self) -> str:
        """Fingerprint of a message, without reasoning, which agents leave out when they send it again."""
        calls = [(call.id, call.name) for call in self.calls]
        results = [(result.call_id, result.text) for result in self.results]
        told = json.dumps([self.role, self.text.strip(), calls, results], sort_keys=True)
        return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def is_empty(self) -> bool:
        return not (self.text or self.reasoning or self.calls or self.results)


@dataclass(frozen=True, slots=True)
class Exchange:
    """Call: the messages before, and the model's answer. `after` is the id of an answer that it continues."""

    turns: list[ChatMessage]
    answer: ChatMessage | None
    answer_id: str | None
    after: str | None
    tools: list[dict[str, Any]]


def read(api: Api, request: object, response: object) -> Exchange:
    """A recorded call. What cannot be understood is left out."""
    asked, told = _object(request), _object(response)
    match api:
        case Api.CHAT:
            turns = [*_joined(_chat(message) for message in _objects(asked.get("messages")))]
            choices = _objects(told.get("choices"))
            answer = _chat(_object(choices[0].get("message"))) if choices else None
            after = None
        case Api.RESPONSES:
            turns = [ChatMessage("system", text)] if (text := _text(asked.get("instructions"))) else []
            given = asked.get("input")
            turns += [ChatMessage("user", given)] if isinstance(given, str) else _items(_objects(given))
            answer = _one(_items(_objects(told.get("output"))))
            after = _string(asked.get("previous_response_id"))
        case Api.MESSAGES:
            turns = [ChatMessage("system", text)] if (text := _text(asked.get("system"))) else []
            turns += [_message(message) for message in _objects(asked.get("messages"))]
            answer = _message({"role": "assistant", **told}) if "content" in told else None
            after = None
        case Api.GEMINI:
            system = asked.get("systemInstruction") or asked.get("system_instruction")
            turns = [ChatMessage("system", text)] if (text := _gemini(_object(system)).text) else []
            turns += _joined(_gemini(content) for content in _objects(asked.get("contents")))
            candidates = _objects(told.get("candidates"))
            answer = _gemini({"role": "model", **_object(candidates[0].get("content"))}) if candidates else None
            after = None
    tools = [*_tools(api, _objects(asked.get("tools")))]
    kept = [turn for turn in turns if not turn.is_empty]
    if answer is not None:
        answer.role = "agent"
    return Exchange(kept, None if answer is None or answer.is_empty else answer, _string(told.get("id")), after, tools)


def _chat(message: Mapping[str, Any]) -> ChatMessage:
    role, text = message.get("role"), _text(message.get("content"))
    if role == "tool":
        return ChatMessage("user", results=[ToolResult(str(message.get("tool_call_id") or ""), text)])
    calls = [
        ToolCall(str(call.get("id") or ""), str(function.get("name") or ""), _arguments(function.get("arguments")))
        for call in _objects(message.get("tool_calls"))
        for function in [_object(call.get("function"))]
    ]
    reasoning = _text(message.get("reasoning_content") or message.get("reasoning"))
    return ChatMessage(_role(role), text, reasoning, calls)


def _items(items: Sequence[Mapping[str, Any]]) -> list[ChatMessage]:
    """Items of responses: what a model says, thinks and calls in one go is one turn."""
    turns: list[ChatMessage] = []
    for item in items:
        match item.get("type", "message"):
            case "message":
                turns.append(ChatMessage(_role(item.get("role")), _text(item.get("content"))))
            case "reasoning":
                parts = [*_objects(item.get("summary")), *_objects(item.get("content"))]
                turns.append(ChatMessage("agent", reasoning="\n".join(_text(part) for part in parts)))
            case "function_call" | "custom_tool_call" | "local_shell_call":
                given = item.get("arguments", item.get("input", item.get("action")))
                name = str(item.get("name") or item["type"])
                turns.append(ChatMessage("agent", calls=[ToolCall(_call_id(item), name, _arguments(given))]))
            case "function_call_output" | "custom_tool_call_output" | "local_shell_call_output":
                turns.append(ChatMessage("user", results=[ToolResult(_call_id(item), _text(item.get("output")))]))
            case _:
                pass
    return [*_joined(turns)]


def _message(message: Mapping[str, Any]) -> ChatMessage:
    turn = ChatMessage(_role(message.get("role")))
    content = message.get("content")
    if isinstance(content, str):
        turn.text = content
        return turn
    texts: list[str] = []
    thoughts: list[str] = []
    for block in _objects(content):
        match block.get("type"):
            case "thinking":
                thoughts.append(_text(block.get("thinking")))
            case "tool_use":
                name = str(block.get("name") or "")
                turn.calls.append(ToolCall(str(block.get("id") or ""), name, _arguments(block.get("input"))))
            case "tool_result":
                turn.results.append(ToolResult(str(block.get("tool_use_id") or ""), _text(block.get("content"))))
            case _:
                texts.append(_text(block))
    turn.text, turn.reasoning = "\n".join(filter(None, texts)), "\n".join(filter(None, thoughts))
    return turn


def _gemini(content: Mapping[str, Any]) -> ChatMessage:
    turn = ChatMessage("agent" if content.get("role") == "model" else "user")
    for part in _objects(content.get("parts")):
        if found := _object(part.get("functionCall")):
            name = str(found.get("name") or "")
            turn.calls.append(ToolCall(str(found.get("id") or name), name, _arguments(found.get("args"))))
        elif found := _object(part.get("functionResponse")):
            given = json.dumps(found.get("response"), ensure_ascii=False)
            turn.results.append(ToolResult(str(found.get("id") or found.get("name") or ""), given))
        elif part.get("thought"):
            turn.reasoning += _text(part)
        else:
            turn.text += _text(part)
    return turn


def _joined(turns: Iterator[ChatMessage] | Sequence[ChatMessage]) -> Iterator[ChatMessage]:
    """Turns of the model that follow each other as one; results of its calls as one."""
    last: ChatMessage | None = None
    for turn in turns:
        both_agent = last is not None and last.role == turn.role == "agent"
        both_results = last is not None and bool(last.results and turn.results and not last.text and not turn.text)
        if last is not None and (both_agent or both_results):
            last.text = "\n".join(filter(None, (last.text, turn.text)))
            last.reasoning = "\n".join(filter(None, (last.reasoning, turn.reasoning)))
            last.calls += turn.calls
            last.results += turn.results
            continue
        if last is not None:
            yield last
        last = turn
    if last is not None:
        yield last


def _one(turns: Sequence[ChatMessage]) -> ChatMessage | None:
    return next((turn for turn in turns if turn.role == "agent"), None)


def _tools(api: Api, tools: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Tools as OpenAI describes functions."""
    for tool in tools:
        functions = [tool]
        if api == Api.CHAT:
            functions = [_object(tool.get("function"))]
        elif api == Api.GEMINI:
            functions = _objects(tool.get("functionDeclarations") or tool.get("function_declarations"))
        for function in functions:
            if isinstance(name := function.get("name"), str):
                given = (_object(function.get(key)) for key in ("parameters", "input_schema", "parametersJsonSchema"))
                schema = next(filter(None, given), dict[str, Any]())
                told = {"name": name, "description": _text(function.get("description")), "parameters": schema}
                yield {"type": "function", "function": told}


def _role(role: object) -> Role:
    match role:
        case "assistant" | "model":
            return "agent"
        case "system" | "developer":
            return "system"
        case _:
            return "user"


def _text(content: object) -> str:
    """The text of a content in any of the APIs' forms; a word in brackets for what is none."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(filter(None, (_text(part) for part in cast("list[Any]", content))))
    if not isinstance(content, dict):
        return ""
    part = cast("dict[str, Any]", content)
    for name in ("text", "refusal", "output", "content"):
        if isinstance(part.get(name), str | list):
            return _text(part[name])
    kind = part.get("type") or next(iter(part), None)
    return f"[{kind}]" if kind else ""


def _arguments(given: object) -> dict[str, Any]:
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            return {"input": given}
    if isinstance(given, dict):
        return cast("dict[str, Any]", given)
    return {} if given is None else {"input": given}


def _call_id(item: Mapping[str, Any]) -> str:
    return str(item.get("call_id") or item.get("id") or "")


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _objects(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        return []
    return [cast("dict[str, Any]", one) for one in cast("list[Any]", value) if isinstance(one, dict)]
