"""An entry of a transcript, and what the readers of all protocols use."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import orjson

from loopyard.broker.protocol.base import fields_of

Kind = Literal["user", "agent", "thought", "tool", "plan", "turn", "problem", "note", "unknown"]

_MOST_DEPTH = 8


@dataclass(slots=True)
class Entry:
    """Something that was said or done, as a transcript shows it."""

    kind: Kind
    text: str = ""
    title: str = ""
    """A tool's name, or the event's type where nothing better is known."""
    key: str = ""
    """By this, what comes later belongs to it: a tool call's id."""
    status: str = ""
    output: str = ""
    """Output of a tool."""
    goes_on: bool = False
    """True if the text is a piece, which the next piece of the same kind continues."""
    sequence: int = 0
    timestamp_ms: int = 0
    detail: dict[str, str] = field(default_factory=dict[str, str])
    """Further figures by their names: tokens, cost."""


def text_of(value: Any) -> str:
    """A value as text: itself if it is text, else JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONEncodeError:
        return "[nested too deeply to be shown]"


def word(value: Any) -> str:
    """A value if it is text, else nothing."""
    return value if isinstance(value, str) else ""


def items_of(value: Any) -> list[dict[str, Any]]:
    """The JSON objects of an array; none if it is no array."""
    found = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", one) for one in found if isinstance(one, dict)]


def blocks_text(content: Any, *, depth: int = 0) -> str:
    """The text of content: text, or blocks of which those that are no text are named."""
    if isinstance(content, str):
        return content
    if depth > _MOST_DEPTH:
        return "[nested too deeply to be shown]"
    blocks = items_of([content] if isinstance(content, dict) else content)
    return "\n".join(part for part in _parts(blocks, depth) if part)


def _parts(blocks: list[dict[str, Any]], depth: int) -> Iterator[str]:
    for block in blocks:
        if isinstance(block.get("text"), str):
            yield block["text"]
        elif "content" in block and block.get("type") == "content":
            yield blocks_text(block["content"], depth=depth + 1)
        elif block.get("type") == "diff":
            yield f"{word(block.get('path'))}\n{word(block.get('newText'))}"
        else:
            inner = fields_of(block.get("resource"))
            named = word(block.get("uri")) or word(block.get("name")) or word(inner.get("uri"))
            yield f"[{word(block.get('type')) or 'unknown'}{f' {named}' if named else ''}]"
