"""Counts what one answer says it used, while the answer passes by."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

import orjson

from loopyard.model_usage.metering import answers
from loopyard.model_usage.metering.apis import Api
from loopyard.model_usage.metering.decoding import Decoder, Undecodable
from loopyard.model_usage.metering.json_paths import JsonPaths
from loopyard.model_usage.metering.server_sent import EventData
from loopyard.model_usage.metering.tokens import NONE, Tokens

_MOST_MODEL = 200
_MOST_USAGE_NAMES = 200
_PIECE_BYTES = 64 * 1024
_FREE_STEPS = 100_000
_BYTES_A_STEP = 4
_STEPS_A_LINE = 4
"""An answer may be so dense with structure, in steps of `JsonPaths` and lines; real ones have a step in 8 bytes."""

_TOLD = re.compile(rb'usage(?!"\s*+:\s*+null)')
"""Usage in an event's data that is not just said to be null, as it is in all but the last event of an OpenAI chat."""

_BLANK = b" \t\r\n\xef\xbb\xbf"
"""Characters that may stand before the first one that tells JSON from events."""


class Outcome(StrEnum):
    """State of knowledge about a call's tokens."""

    COUNTED = "counted"
    """The answer told them, whole."""
    CUT_OFF = "cut_off"
    """Broken off before its end: its usage so far is less than what was used."""
    UNTOLD = "untold"
    """Ended well without usage, or with none that can be understood."""
    FAILED = "failed"
    """The upstream answered with an error, which uses none."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Measurement of one answer. `usage` is as the answer has it, for pricing."""

    outcome: Outcome
    streamed: bool
    tokens: Tokens = NONE
    model: str | None = None
    service_tier: str | None = None
    usage: Mapping[str, Any] | None = None
    reason: str | None = None
    """Why nothing was counted, for people."""


class Meter:
    """Takes one answer's body as it comes: still encoded, in pieces of any size. Nothing raises; memory is bounded."""

    def __init__(self, api: Api, status: int, content_encoding: str) -> None:
        self._api = api
        self._failed = not 200 <= status < 300
        self._usage: dict[str, Any] = {}
        self._model: str | None = None
        self._tier: str | None = None
        self._is_last = False
        self._event: dict[tuple[str, ...], bytes] = {}
        self._reason: str | None = None
        self._events: EventData | None = None
        self._json = JsonPaths(answers.WANTED[api], self._found, self._absorb)
        self._begun = False
        self._bytes = 0
        self._decoding: Decoder | None = None
        if not self._failed:
            self._open(content_encoding)

    def _open(self, content_encoding: str) -> None:
        try:
            self._decoding = Decoder(content_encoding)
        except Undecodable as error:
            self._reason = str(error)

    def feed(self, chunk: bytes) -> None:
        """A piece of the body."""
        if self._decoding is None:
            return
        try:
            for decoded in self._decoding.feed(chunk):
                for at in range(0, len(decoded), _PIECE_BYTES):
                    self._read(decoded[at : at + _PIECE_BYTES])
                    self._check_density(min(_PIECE_BYTES, len(decoded) - at))
        except Undecodable as error:
            self._decoding, self._reason = None, str(error)

    def finish(self, *, complete: bool) -> Measured:
        """The body is at its end; `complete` unless it was cut off."""
        if self._events is not None:
            self._events.finish()
        self._json.finish()
        streamed = self._events is not None
        if self._failed:
            return Measured(Outcome.FAILED, streamed)
        counted, reason = NONE, self._reason
        if self._usage:
            try:
                counted = answers.tokens(self._api, self._usage)
            except ValueError as error:
                reason = str(error)
        told = bool(self._usage) and reason is None
        if told and (complete or self._is_last):
            outcome = Outcome.COUNTED
        else:
            outcome = Outcome.UNTOLD if complete else Outcome.CUT_OFF
            reason = reason or ("the answer tells no usage" if complete else "the answer was cut off")
        return Measured(
            outcome,
            streamed,
            counted,
            self._model,
            self._tier,
            self._usage if outcome == Outcome.COUNTED else None,
            None if outcome == Outcome.COUNTED else reason,
        )

    def _read(self, piece: bytes) -> None:
        if not self._begun:
            piece = piece.lstrip(_BLANK)
            if not piece:
                return
            self._begun = True
            if piece[0] not in b"{[":
                self._events = EventData(self._json.feed, self._json.finish, self._is_idle)
        if self._events is not None:
            self._events.feed(piece)
        else:
            self._json.feed(piece)

    def _check_density(self, size: int) -> None:
        self._bytes += size
        lines = 0 if self._events is None else self._events.lines
        if self._json.steps + lines * _STEPS_A_LINE > _FREE_STEPS + self._bytes // _BYTES_A_STEP:
            raise Undecodable("there is hardly anything but structure in it")

    def _is_idle(self, data: bytes) -> bool:
        """True if an event's data hold nothing that is looked for."""
        return self._model is not None and _TOLD.search(data) is None

    def _found(self, path: tuple[str, ...], value: bytes) -> None:
        if path[-1] in answers.MODEL and self._model is None:
            self._model = _text(value)
        else:
            self._event[path] = value

    def _absorb(self) -> None:
        """Take up what one object of the answer has told."""
        event, self._event = self._event, {}
        for path, value in event.items():
            if path[-1] not in answers.USAGE:
                continue
            usage = _object(value)
            if not usage:
                continue
            if len(self._usage | usage) <= _MOST_USAGE_NAMES:
                self._usage |= usage
            self._is_last |= answers.is_last(self._api, path, streamed=self._events is not None)
            tier = usage.get(answers.SERVICE_TIER) or _text(event.get((*path[:-1], answers.SERVICE_TIER), b""))
            self._tier = tier[:_MOST_MODEL] if isinstance(tier, str) and tier else self._tier


def _text(value: bytes) -> str | None:
    """A short text of a JSON string's inside; None if it is none."""
    if len(value) > 6 * _MOST_MODEL:
        return None
    try:
        text = orjson.loads(b'"' + value + b'"')
    except orjson.JSONDecodeError:
        return None
    kept = "".join(char for char in text if char.isprintable())[:_MOST_MODEL]
    return kept or None


def _object(value: bytes) -> dict[str, Any]:
    """A usage object without what is null in it; empty if it is no object."""
    try:
        read = orjson.loads(value)
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(read, dict):
        return {}
    return {name: one for name, one in cast("dict[str, Any]", read).items() if one is not None}
