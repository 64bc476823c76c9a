"""Answers that calls of models get in place of the upstream's, in the upstream's own form, so that its clients
understand them."""

import json
from typing import Any

from loopyard.gateway.observation import Refusal
from loopyard.model_usage.metering.apis import Api

_OPENAI = {429: ("insufficient_quota", "insufficient_quota"), 426: ("invalid_request_error", None)}
_ANTHROPIC = {429: "rate_limit_error", 426: "invalid_request_error"}
_GEMINI = {429: "RESOURCE_EXHAUSTED", 426: "FAILED_PRECONDITION"}


def refusal(api: Api, message: str, *, status: int = 429, again: bool = False, array: bool = False) -> Refusal:
    """An answer that tells why a call is not made.

    Args:
        api: Whose form it has.
        message: For people, and for the agent.
        status: 429, or 426 for what is only understood as HTTP without an upgrade.
        again: Whether it is worth trying again soon; if not, the header that keeps official clients from it is set.
        array: Whether the caller waits for a JSON array, as of Gemini.
    """
    body: Any = _body(api, status, message)
    headers = [("content-type", "application/json"), ("x-should-retry", "true" if again else "false")]
    if again:
        headers.append(("retry-after", "1"))
    if status == 426:
        headers.append(("upgrade", "HTTP/1.1"))
    return Refusal(status, tuple(headers), json.dumps([body] if array else body).encode())


def _body(api: Api, status: int, message: str) -> dict[str, Any]:
    match api:
        case Api.CHAT | Api.RESPONSES:
            kind, code = _OPENAI[status]
            return {"error": {"message": message, "type": kind, "param": None, "code": code}}
        case Api.MESSAGES:
            return {"type": "error", "error": {"type": _ANTHROPIC[status], "message": message}, "request_id": None}
        case Api.GEMINI:
            return {"error": {"code": status, "message": message, "status": _GEMINI[status]}}
