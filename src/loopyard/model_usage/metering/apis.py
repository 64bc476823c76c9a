"""The model APIs that are understood, told by the method and path of a request."""

import re
from enum import StrEnum
from urllib.parse import unquote


class Api(StrEnum):
    """An API by which models are called."""

    CHAT = "openai-chat"
    RESPONSES = "openai-responses"
    MESSAGES = "anthropic-messages"
    GEMINI = "gemini"


_ROUTES = (
    (re.compile(r".*/chat/completions", re.DOTALL), Api.CHAT),
    (re.compile(r".*/responses(/compact)?", re.DOTALL), Api.RESPONSES),
    (re.compile(r".*/v1/messages", re.DOTALL), Api.MESSAGES),
    (re.compile(r".*/models/(?P<model>.+):(generateContent|streamGenerateContent)", re.DOTALL), Api.GEMINI),
)


def api_of(method: str, target: str) -> Api | None:
    """The API that a request calls a model by; None if it calls none. `target` is a path, with or without a query."""
    if method != "POST":
        return None
    path = _path(target)
    return next((api for pattern, api in _ROUTES if pattern.fullmatch(path)), None)


def socket_api_of(method: str, target: str) -> Api | None:
    """The API whose models a WebSocket at this place would call: responses and conversations of OpenAI, Gemini's live
    conversations."""
    if method != "GET":
        return None
    path = _path(target)
    if path.endswith(("/responses", "/realtime")):
        return Api.RESPONSES
    return Api.GEMINI if path.endswith("BidiGenerateContent") else None


def model_of(target: str) -> str | None:
    """The model that the path of a request names; only those of Gemini name one."""
    found = _ROUTES[-1][0].fullmatch(_path(target))
    return None if found is None else "".join(filter(str.isprintable, found["model"]))


def is_array(target: str) -> bool:
    """True if the request asks Gemini for a stream that is a JSON array, rather than server-sent events."""
    query = target.partition("?")[2]
    return _path(target).endswith(":streamGenerateContent") and "alt=sse" not in query.split("&")


def _path(target: str) -> str:
    """The path as an upstream may understand it, however it is written: another way to write it must be no way around
    a budget."""
    segments: list[str] = []
    for segment in unquote(target.partition("?")[0]).split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    return "/" + "/".join(segments)
