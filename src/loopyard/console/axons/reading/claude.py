"""Events of Claude Code's stream of JSON: a message's type is the event's."""

from collections.abc import Iterator
from typing import Any

from loopyard.broker.protocol.base import fields_of
from loopyard.console.axons.reading.entry import Entry, blocks_text, items_of, text_of, word

_QUIET = {"stream_event", "control_response", "control_cancel_request", "keep_alive", "rate_limit_event"}


def read(event_type: str, payload: dict[str, Any], *, by_agent: bool) -> Iterator[Entry] | None:
    """The entries of an event; None if it is of another protocol."""
    if event_type == "assistant" or (event_type == "user" and by_agent):
        return _message(fields_of(payload.get("message")).get("content"))
    if event_type in ("user", "query"):
        return iter([Entry("user", blocks_text(fields_of(payload.get("message")).get("content")))])
    if event_type == "system" and payload.get("type") == "system":
        return iter([Entry("note", f"{word(payload.get('subtype'))} {word(payload.get('model'))}".strip())])
    if event_type == "result" and payload.get("type") == "result":
        return iter([_result(payload)])
    if event_type == "control_request":
        asked = fields_of(payload.get("request"))
        if asked.get("subtype") == "can_use_tool":
            return iter([Entry("note", f"asks for permission: {word(asked.get('tool_name'))}")])
        return iter([Entry("note", word(asked.get("subtype")))])
    return iter(()) if event_type in _QUIET else None


def _message(content: Any) -> Iterator[Entry]:
    if isinstance(content, str):
        yield Entry("agent", content)
    for block in items_of(content):
        kind = block.get("type")
        if kind == "text":
            yield Entry("agent", word(block.get("text")))
        elif kind == "thinking":
            yield Entry("thought", word(block.get("thinking")))
        elif kind == "tool_use":
            given = text_of(block.get("input"))
            yield Entry("tool", given, title=word(block.get("name")), key=word(block.get("id")), status="in_progress")
        elif kind == "tool_result":
            status = "failed" if block.get("is_error") else "completed"
            told = blocks_text(block.get("content"))
            yield Entry("tool", key=word(block.get("tool_use_id")), status=status, output=told)
        else:
            yield Entry("unknown", text_of(block), title=word(kind))


def _result(payload: dict[str, Any]) -> Entry:
    detail: dict[str, str] = {}
    for name, words in (("num_turns", "turns"), ("total_cost_usd", "cost in USD"), ("duration_ms", "ms")):
        value = payload.get(name)
        if isinstance(value, (int, float)):
            detail[words] = f"{value:.4g}" if isinstance(value, float) else str(value)
    if payload.get("is_error"):
        return Entry("problem", text_of(payload.get("result") or payload.get("errors")), detail=detail)
    return Entry("note", f"result: {word(payload.get('subtype'))}", detail=detail)
