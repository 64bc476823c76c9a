"""Events of Codex's app server: whole frames of JSON-RPC."""

from collections.abc import Iterator
from typing import Any

from loopyard.broker.protocol.base import fields_of
from loopyard.console.axons.reading.entry import Entry, blocks_text, items_of, text_of, word

_ASKS = "requestApproval"
_SHOWN_ELSEWHERE = ("turn/", "thread/", "account/", "item/", "initialize", "model/", "mcpServer/", "codex/event")


def read(_: str, payload: dict[str, Any], *, by_agent: bool) -> Iterator[Entry] | None:
    """The entries of an event; None if it is of another protocol."""
    method = payload.get("method")
    if not isinstance(method, str):
        is_answer = "id" in payload and "type" not in payload and ("result" in payload or "error" in payload)
        if not is_answer:
            return None
        return iter([Entry("problem", text_of(payload["error"]))]) if payload.get("error") else iter(())
    params = fields_of(payload.get("params"))
    if not by_agent:
        return iter([Entry("user", blocks_text(params.get("input")))] if method == "turn/start" else ())
    if method in ("item/started", "item/completed"):
        return _item(fields_of(params.get("item")), is_done=method == "item/completed")
    if method.endswith(_ASKS) or method in ("execCommandApproval", "applyPatchApproval"):
        return iter([Entry("note", f"asks for permission: {text_of(params.get('command') or params.get('reason'))}")])
    if method == "error":
        error = fields_of(params.get("error"))
        return iter([Entry("problem", word(error.get("message")) or text_of(params))])
    # Pieces of items are told whole when they are completed.
    return iter(()) if method.startswith(_SHOWN_ELSEWHERE) else iter([Entry("unknown", text_of(params), title=method)])


def _item(item: dict[str, Any], *, is_done: bool) -> Iterator[Entry]:
    kind, key = word(item.get("type")), word(item.get("id"))
    status = word(item.get("status")) or ("completed" if is_done else "in_progress")
    if kind in ("agentMessage", "reasoning", "userMessage", "plan"):
        if not is_done or kind == "userMessage":
            return
        if kind == "reasoning":
            yield Entry("thought", _lines(item.get("summary")) or _lines(item.get("content")))
        else:
            yield Entry("plan" if kind == "plan" else "agent", word(item.get("text")))
    elif kind == "commandExecution":
        code = item.get("exitCode")
        done = f"{status}, exit status {code}" if isinstance(code, int) else status
        told = word(item.get("aggregatedOutput"))
        yield Entry("tool", text_of(item.get("command")), title="command", key=key, status=done, output=told)
    elif kind == "fileChange":
        changes = [f"{word(one.get('path'))}\n{word(one.get('diff'))}" for one in items_of(item.get("changes"))]
        yield Entry("tool", "\n".join(changes), title="change of files", key=key, status=status)
    elif kind == "mcpToolCall":
        title = f"{word(item.get('server'))} {word(item.get('tool'))}"
        told = text_of(item.get("error")) or blocks_text(fields_of(item.get("result")).get("content"))
        yield Entry("tool", text_of(item.get("arguments")), title=title, key=key, status=status, output=told)
    elif kind == "webSearch":
        yield Entry("tool", word(item.get("query")), title="web search", key=key, status=status)
    elif is_done:
        yield Entry("unknown", text_of(item), title=kind)


def _lines(value: Any) -> str:
    """The text of an array of texts, or of objects with text."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):  # pyright: ignore[reportUnknownVariableType]
        return "\n".join(value)  # pyright: ignore[reportUnknownArgumentType]
    return blocks_text(value)
