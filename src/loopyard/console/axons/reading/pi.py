"""Events of pi's RPC mode: a line's type is the event's."""

from collections.abc import Iterator
from typing import Any

from loopyard.broker.protocol.base import fields_of
from loopyard.console.axons.reading.entry import Entry, blocks_text, items_of, text_of, word

_QUIET = {
    "agent_start",
    "agent_end",
    "agent_settled",
    "turn_start",
    "turn_end",
    "message_start",
    "message_update",
    "tool_execution_update",
    "queue_update",
    "extension_ui_request",
    "get_state",
}


def read(event_type: str, payload: dict[str, Any], *, by_agent: bool) -> Iterator[Entry] | None:
    """The entries of an event; None if it is of another protocol."""
    kind = payload.get("type")
    if not by_agent:
        if event_type == "turn/start" and isinstance(kind, str):
            return iter([Entry("user", blocks_text(payload.get("message")))])
        return iter([Entry("note", "was asked to stop")]) if event_type == "cancel" else None
    if event_type != kind:
        return None
    if kind == "message_end":
        return _message(fields_of(payload.get("message")))
    if kind == "tool_execution_start":
        return iter([_call(payload, text_of(payload.get("args")), "in_progress")])
    if kind == "tool_execution_end":
        told = blocks_text(fields_of(payload.get("result")).get("content"))
        return iter([_call(payload, "", "failed" if payload.get("isError") else "completed", told)])
    if kind == "response":
        failed = payload.get("success") is False
        return iter([Entry("problem", text_of(payload.get("error")))] if failed else ())
    return iter(()) if kind in _QUIET else None


def _call(payload: dict[str, Any], given: str, status: str, told: str = "") -> Entry:
    title, key = word(payload.get("toolName")), word(payload.get("toolCallId"))
    return Entry("tool", given, title=title, key=key, status=status, output=told)


def _message(message: dict[str, Any]) -> Iterator[Entry]:
    if message.get("role") != "assistant":  # what the user said, and the results of tools, are told by others
        return
    content = message.get("content")
    if isinstance(content, str):
        yield Entry("agent", content)
    for block in items_of(content):
        kind = block.get("type")
        if kind == "text":
            yield Entry("agent", word(block.get("text")))
        elif kind == "thinking":
            yield Entry("thought", word(block.get("thinking")))
        elif kind == "toolCall":
            given, key = text_of(block.get("arguments")), word(block.get("id"))
            yield Entry("tool", given, title=word(block.get("name")), key=key, status="in_progress")
        else:
            yield Entry("unknown", text_of(block), title=word(kind))
    if message.get("errorMessage"):
        yield Entry("problem", text_of(message["errorMessage"]))
