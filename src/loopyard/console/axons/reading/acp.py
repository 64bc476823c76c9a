"""Events of the Agent Client Protocol: a method, with its params or its result."""

from collections.abc import Iterator
from typing import Any

from loopyard.broker.protocol.base import fields_of
from loopyard.console.axons.reading.entry import Entry, Kind, blocks_text, items_of, text_of, word

_PIECES: dict[str, Kind] = {
    "user_message_chunk": "user",
    "agent_message_chunk": "agent",
    "agent_thought_chunk": "thought",
}
_QUIET = {"available_commands_update", "current_mode_update", "config_option_update", "usage_update"}
_SETTING_UP = {"initialize", "session/new", "session/load", "authenticate", "session/set_mode", "session/set_model"}


def read(event_type: str, payload: dict[str, Any], *, by_agent: bool) -> Iterator[Entry] | None:
    """The entries of an event; None if it is of another protocol."""
    if event_type == "session/update" and isinstance(payload.get("update"), dict):
        return _update(payload["update"])
    if event_type == "session/prompt":
        if by_agent:
            return iter(())  # told by the end of the turn
        return iter([Entry("user", blocks_text(payload.get("prompt")))])
    if event_type == "session/request_permission":
        call = fields_of(payload.get("toolCall"))
        return iter([Entry("note", f"asks for permission: {word(call.get('title')) or word(call.get('toolCallId'))}")])
    if event_type == "session/cancel":
        return iter([Entry("note", "was asked to stop")])
    return iter(()) if event_type in _SETTING_UP else None


def _update(update: dict[str, Any]) -> Iterator[Entry]:
    kind = word(update.get("sessionUpdate"))
    if kind in _PIECES:
        yield Entry(_PIECES[kind], blocks_text(update.get("content")), goes_on=True)
    elif kind in ("tool_call", "tool_call_update"):
        yield Entry(
            "tool",
            text_of(update.get("rawInput")),
            title=word(update.get("title")) or word(update.get("kind")),
            key=word(update.get("toolCallId")),
            status=word(update.get("status")),
            output=blocks_text(update.get("content")) or text_of(update.get("rawOutput")),
        )
    elif kind == "plan":
        lines = [f"[{word(one.get('status'))}] {word(one.get('content'))}" for one in items_of(update.get("entries"))]
        yield Entry("plan", "\n".join(lines))
    elif kind not in _QUIET:
        yield Entry("unknown", text_of(update), title=kind)
