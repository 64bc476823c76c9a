"""Puts a transcript together from events: pieces of a message become one, and a tool's output joins its call."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from loopyard.axon.event.event import Event
from loopyard.axon.event.origins import Origin
from loopyard.broker.protocol.base import fields_of
from loopyard.console.axons.reading import acp, claude, codex, pi
from loopyard.console.axons.reading.entry import Entry, text_of, word

_READERS = (codex.read, acp.read, claude.read, pi.read)
"""Each knows its own events, so that nothing need be said about which agent it was."""

_MOST_CHARACTERS = 200_000
"""How much of a message that comes in pieces is put together."""


def transcript(events: Iterable[Event]) -> Sequence[Entry]:
    """The entries of events, which are in order. What no reader knows is shown as it is."""
    made: list[Entry] = []
    calls: dict[str, Entry] = {}
    for event in events:
        for entry in _entries(event):
            entry.sequence, entry.timestamp_ms = event.sequence, event.timestamp_ms
            last = made[-1] if made else None
            if entry.kind == "tool" and entry.key in calls:
                _join(calls[entry.key], entry)
            elif entry.goes_on and last is not None and last.goes_on and last.kind == entry.kind:
                if len(last.text) < _MOST_CHARACTERS:
                    last.text += entry.text
            elif entry.text.strip() or entry.kind == "tool":
                made.append(entry)
                if entry.kind == "tool" and entry.key:
                    calls[entry.key] = entry
    return made


def _join(call: Entry, news: Entry) -> None:
    call.title = call.title or news.title
    call.text = call.text or news.text
    call.status = news.status or call.status
    call.output = news.output or call.output


def _entries(event: Event) -> Iterator[Entry]:
    try:
        payload: Any = orjson.loads(event.payload) if event.payload else None
    except ValueError:
        payload = event.payload
    if event.origin is Origin.SYSTEM_EVENT:
        yield _of_system(event.event_type, payload)
        return
    fields = fields_of(payload)
    if payload is None or fields or payload == {}:
        for read in _READERS:
            found = read(event.event_type, fields, by_agent=event.origin is Origin.AGENT_EVENT)
            if found is not None:
                yield from found
                return
    yield Entry("unknown", text_of(payload) or "null", title=event.event_type)


def _of_system(event_type: str, payload: Any) -> Entry:
    fields = fields_of(payload)
    if event_type == "turn.started":
        return Entry("turn", "Turn begins")
    if event_type == "turn.completed":
        return Entry("turn", f"Turn ends: {word(fields.get('stop_reason')) or 'completed'}")
    if event_type == "turn.failed":
        return Entry("problem", word(fields.get("error")) or text_of(payload), title="Turn failed")
    if event_type.endswith(".error"):
        return Entry("problem", word(fields.get("message")) or text_of(payload), title=event_type)
    return Entry("note", f"{event_type} {word(fields.get('message')) or word(fields.get('line'))}".strip())
