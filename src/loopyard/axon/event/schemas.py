"""Wire forms of events."""

from typing import Annotated

from pydantic import AfterValidator, Field

from loopyard.axon.event.origins import CallersOrigin, OriginName
from loopyard.kit.errors import TooLarge
from loopyard.kit.http.wire import Params, ShortText, Text, View

MAX_PAYLOAD_BYTES = 4 * 1024**2
"""Limit on a payload, in bytes of UTF-8: 4 MiB."""

MAX_BODY_BYTES = 6 * MAX_PAYLOAD_BYTES + 65_536
"""Limit on the body of a publish call: JSON may write a byte of the payload as six, `\\u001f`."""


def payload_bytes(payload: str) -> int:
    """Size of a payload in UTF-8.

    Raises:
        TooLarge: It is over the limit.
    """
    size = len(payload) if payload.isascii() else len(payload.encode())
    if size > MAX_PAYLOAD_BYTES:
        message = f"payload: has {size} bytes of UTF-8; at most {MAX_PAYLOAD_BYTES} (4 MiB) are taken."
        raise TooLarge(message, field="payload")
    return size


def _not_empty(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


class AxonPublishParams(Params):
    event_type: Annotated[ShortText, AfterValidator(_not_empty)]
    origin: CallersOrigin
    payload: Text = Field(description="JSON as a string; at most 4 MiB of UTF-8.")
    source: ShortText


class PublishResultView(View):
    sequence: int
    timestamp_ms: int


class AxonEventView(View):
    axon_id: str
    event_type: str
    origin: OriginName
    payload: str
    sequence: int
    source: str
    timestamp_ms: int


class AxonEventListView(View):
    events: list[AxonEventView]
    has_more: bool
    total_count: int | None = None
