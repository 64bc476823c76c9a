"""Puts streamed answers together: what comes out is as if the answer had not been streamed."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, cast

import orjson

from loopyard.model_usage.metering.apis import Api
from loopyard.model_usage.metering.server_sent import EventData

_MOST_CHOICES = 4096


def assemble(api: Api, body: bytes) -> Any:
    """An answer as one JSON value, streamed or not; None if it is no JSON and no stream of it. Of a stream that was cut
    off, what had come."""
    start = body.lstrip(b" \t\r\n\xef\xbb\xbf")
    if start[:1] in (b"{", b"["):
        try:
            whole = orjson.loads(start)
        except orjson.JSONDecodeError:
            return None
        if isinstance(whole, list) and api == Api.GEMINI:
            return put_together(api, cast("list[Any]", whole))
        return cast("Any", whole)
    events = read_events(start)
    return put_together(api, events) if events else None


def read_events(body: bytes) -> list[Any]:
    """The JSON of each event of a stream that has some."""
    found: list[Any] = []
    data = bytearray()

    def end() -> None:
        with suppress(orjson.JSONDecodeError):  # [DONE], or an event that was cut off
            found.append(orjson.loads(bytes(data)))
        data.clear()

    events = EventData(data.extend, end)
    events.feed(body)
    events.finish()
    return found


class _Pieces(list[str]):
    """A text that comes in pieces."""


def _settled(value: Any) -> Any:
    """The same with texts whole."""
    if isinstance(value, _Pieces):
        return "".join(value)
    if isinstance(value, list):
        return [_settled(one) for one in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {name: _settled(one) for name, one in cast("dict[str, Any]", value).items()}
    return value


def _add_text(to: dict[str, Any], name: str, text: str) -> None:
    had = to.get(name)
    if not isinstance(had, _Pieces):
        had = to[name] = _Pieces([had] if isinstance(had, str) else [])
    had.append(text)


def put_together(api: Api, events: Iterable[Any]) -> Any:
    """Assemble an answer from the events of a stream.

    Raises:
        RecursionError: Something in it is nested too deeply.
    """
    return _settled(_put_together(api, events))


def _put_together(api: Api, events: Iterable[Any]) -> dict[str, Any]:
    told = [cast("dict[str, Any]", event) for event in events if isinstance(event, dict)]
    match api:
        case Api.CHAT:
            return _chat(told)
        case Api.RESPONSES:
            return _response(told)
        case Api.MESSAGES:
            return _message(told)
        case Api.GEMINI:
            return _gemini(told)


def _chat(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        whole.update({name: value for name, value in chunk.items() if name != "choices" and value is not None})
        for choice in _objects(chunk.get("choices")):
            index = _index(choice)
            if index is None:
                continue
            kept = choices.setdefault(index, {"index": index, "message": {}, "finish_reason": None})
            _add_message(kept["message"], _object(choice.get("delta")))
            if choice.get("finish_reason") is not None:
                kept["finish_reason"] = choice["finish_reason"]
    whole["choices"] = [choices[index] for index in sorted(choices)]
    if whole.get("object") == "chat.completion.chunk":
        whole["object"] = "chat.completion"
    return whole


def _add_message(message: dict[str, Any], delta: Mapping[str, Any]) -> None:
    for name, value in delta.items():
        if name == "tool_calls":
            calls = message.setdefault("tool_calls", [])
            for call in _objects(value):
                _add_call(calls, call)
        elif name == "role":
            message["role"] = value
        elif isinstance(value, str):
            _add_text(message, name, value)
        elif isinstance(value, list):
            had = message.setdefault(name, [])
            if isinstance(had, list):
                cast("list[Any]", had).extend(cast("list[Any]", value))
        else:
            message.setdefault(name, value)


def _add_call(calls: list[dict[str, Any]], delta: Mapping[str, Any]) -> None:
    index = _index(delta)
    if index is None or index > len(calls):
        return
    if index == len(calls):
        calls.append({"id": None, "type": "function", "function": {"name": "", "arguments": ""}})
    call = calls[index]
    call["id"] = delta.get("id") or call["id"]
    call["type"] = delta.get("type") or call["type"]
    for name, value in _object(delta.get("function")).items():
        if isinstance(value, str):
            _add_text(call["function"], name, value)


_OVER = frozenset({"response.completed", "response.incomplete", "response.failed"})


def _response(events: list[dict[str, Any]]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    items: dict[int, Any] = {}
    texts: dict[int, _Pieces] = {}
    for event in events:
        kind, response = str(event.get("type")), event.get("response")
        if isinstance(response, dict):
            whole = cast("dict[str, Any]", response)
            if kind in _OVER:
                return whole
        index = event.get("output_index")
        if isinstance(index, int):
            if kind == "response.output_item.done":
                items[index] = event.get("item")
            elif kind == "response.output_text.delta" and isinstance(event.get("delta"), str):
                texts.setdefault(index, _Pieces()).append(event["delta"])
        elif kind == "error":
            whole = {**whole, "error": {name: value for name, value in event.items() if name != "type"}}
    for index, text in texts.items():
        said = [{"type": "output_text", "text": text, "annotations": list[Any]()}]
        items.setdefault(index, {"type": "message", "role": "assistant", "status": "incomplete", "content": said})
    return {**whole, "output": [items[index] for index in sorted(items)]}


def _message(events: list[dict[str, Any]]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    inputs: dict[int, _Pieces] = {}
    for event in events:
        match event.get("type"):
            case "message_start":
                whole = dict(_object(event.get("message")))
            case "content_block_start":
                if (index := _index(event)) is not None:
                    blocks[index] = dict(_object(event.get("content_block")))
            case "content_block_delta":
                if (index := _index(event)) is not None:
                    _add_block(blocks.setdefault(index, {}), inputs, index, _object(event.get("delta")))
            case "message_delta":
                whole.update(_object(event.get("delta")))
                whole["usage"] = {**_object(whole.get("usage")), **_object(event.get("usage"))}
            case "error":
                whole["error"] = event.get("error")
            case _:
                pass
    for index, text in inputs.items():
        blocks[index]["input"] = _parsed("".join(text))
    whole["content"] = [blocks[index] for index in sorted(blocks)]
    return whole


def _add_block(block: dict[str, Any], inputs: dict[int, _Pieces], index: int, delta: Mapping[str, Any]) -> None:
    for name, value in delta.items():
        if name == "partial_json":
            inputs.setdefault(index, _Pieces()).append(str(value))
        elif name == "citation":
            had = block.get("citations")
            if not isinstance(had, list):
                had = block["citations"] = list[Any]()
            cast("list[Any]", had).append(value)
        elif name != "type" and isinstance(value, str):
            _add_text(block, name, value)


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        return text


def _gemini(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    candidates: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        whole.update({name: value for name, value in chunk.items() if name != "candidates" and value is not None})
        for candidate in _objects(chunk.get("candidates")):
            index = _index({"index": 0, **candidate})
            if index is None:
                continue
            kept = candidates.setdefault(index, {"content": {"role": "model", "parts": []}})
            content = _object(candidate.get("content"))
            _add_parts(kept["content"]["parts"], _objects(content.get("parts")))
            kept.update({name: value for name, value in candidate.items() if name != "content"})
    whole["candidates"] = [candidates[index] for index in sorted(candidates)]
    return whole


def _add_parts(parts: list[dict[str, Any]], more: Iterable[dict[str, Any]]) -> None:
    for part in more:
        last = parts[-1] if parts else {}
        same = last.keys() <= {"text", "thought"} and part.keys() <= {"text", "thought"}
        if same and "text" in last and "text" in part and bool(last.get("thought")) == bool(part.get("thought")):
            _add_text(last, "text", str(part["text"]))
        else:
            parts.append(dict(part))


def _object(value: object) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _objects(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        return []
    return [cast("dict[str, Any]", one) for one in cast("list[Any]", value) if isinstance(one, dict)]


def _index(value: Mapping[str, Any]) -> int | None:
    """The place of a choice, block or call; None if it is none that can be."""
    index = value.get("index", 0)
    return index if type(index) is int and 0 <= index < _MOST_CHOICES else None
