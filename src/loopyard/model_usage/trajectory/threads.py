"""Sorts recorded calls into conversations: each call says again what was said before it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from loopyard.model_usage.metering.apis import Api
from loopyard.model_usage.trajectory.turns import ChatMessage, Exchange, read

_MOST_TIME_MS = 253_402_300_800_000
"""The year 10000."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Line of a recording: a call, and what was said in it."""

    line: dict[str, Any]
    exchange: Exchange


@dataclass(slots=True)
class Said:
    """A turn of a conversation, with the call whose answer it is."""

    turn: ChatMessage
    by: dict[str, Any] | None = None


@dataclass(slots=True)
class Thread:
    """Conversation."""

    said: list[Said] = field(default_factory=list[Said])
    tools: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    answers: set[str] = field(default_factory=set[str])
    unanswered: int = 0
    """Calls that got no answer."""

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [one.by for one in self.said if one.by is not None]

    def known(self, exchange: Exchange) -> int | None:
        """How many of a call's turns were said here already; None if it does not go on from here.

        What the model said must be the same. What others said may have changed in between: agents put reminders into
        it, and take them out. The first word of a user must be the same.
        """
        if exchange.after is not None:
            return 0 if exchange.after in self.answers else None
        ours = [one.turn for one in self.said]
        if _first(ours) != _first(exchange.turns):
            return None
        places = [at for at, turn in enumerate(exchange.turns) if turn.role == "agent"]
        spoken = [turn.fingerprint for turn in ours if turn.role == "agent"]
        if len(places) < len(spoken) or any(
            exchange.turns[at].fingerprint != one for at, one in zip(places, spoken, strict=False)
        ):
            return None
        known = places[len(spoken) - 1] + 1 if spoken else 0
        last = max((at for at, turn in enumerate(ours) if turn.role == "agent"), default=-1)
        for turn in ours[last + 1 :]:  # of a call that was not answered, and is made again
            if known < len(exchange.turns) and exchange.turns[known].fingerprint == turn.fingerprint:
                known += 1
        return known

    def add(self, recorded: Recorded, known: int) -> None:
        """Take up what a call says that is new, and its answer."""
        exchange = recorded.exchange
        self.said += [Said(turn) for turn in exchange.turns[known:]]
        if exchange.tools:
            self.tools = exchange.tools
        if exchange.answer is None:
            self.unanswered += 1
        else:
            self.said.append(Said(exchange.answer, recorded.line))
        if exchange.answer_id is not None:
            self.answers.add(exchange.answer_id)


def _first(turns: Sequence[ChatMessage]) -> str | None:
    return next((turn.fingerprint for turn in turns if turn.role == "user"), None)


def sort_out(lines: Sequence[dict[str, Any]]) -> list[Thread]:
    """The conversations that lines of a recording are of, those with the most calls first. Lines that are of no call
    are left out."""
    threads: list[Thread] = []
    for line in sorted(filter(_is_call, lines), key=lambda line: (line["start_time_ms"], line["id"])):
        exchange = read(Api(line["api"]), _body(line["request"]), _body(line.get("response")))
        before = [(known, thread) for thread in threads if (known := thread.known(exchange)) is not None]
        if before:
            known, thread = max(before, key=lambda one: one[0])
        elif exchange.answer is None:
            continue  # nothing is known of it but that it failed
        else:
            known, thread = 0, Thread()
            threads.append(thread)
        thread.add(Recorded(line, exchange), known)
    return sorted((thread for thread in threads if thread.calls), key=lambda thread: -len(thread.calls))


def _is_call(line: dict[str, Any]) -> bool:
    return (
        line.get("api") in {api.value for api in Api}
        and isinstance(line.get("start_time_ms"), int)
        and 0 <= line["start_time_ms"] < _MOST_TIME_MS
        and isinstance(line.get("id"), str)
        and isinstance(line.get("request"), dict)
    )


def _body(said: object) -> object:
    return said.get("body") if isinstance(said, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
