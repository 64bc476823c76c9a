"""Where each API's answers say what was used, and what it means in tokens."""

from collections.abc import Mapping
from typing import Any

from loopyard.model_usage.metering.apis import Api
from loopyard.model_usage.metering.json_paths import Node
from loopyard.model_usage.metering.tokens import Tokens, at

_USAGE: Node = {"usage": None, "model": None, "service_tier": None}

WANTED: Mapping[Api, Node] = {
    Api.CHAT: _USAGE,
    Api.RESPONSES: {**_USAGE, "response": _USAGE},
    Api.MESSAGES: {**_USAGE, "message": _USAGE},
    Api.GEMINI: {"usageMetadata": None, "modelVersion": None},
}
"""Paths that are read in an answer, and in the data of each event of a streamed one."""

USAGE = {"usage", "usageMetadata"}
MODEL = {"model", "modelVersion"}
SERVICE_TIER = "service_tier"

FLAVORS = {Api.CHAT: "chat", Api.RESPONSES: "responses", Api.MESSAGES: "default", Api.GEMINI: "default"}
"""Names of the forms of usage in genai-prices."""


def is_last(api: Api, path: tuple[str, ...], *, streamed: bool) -> bool:
    """True if the value at this path of a streamed answer is its final usage. Where it is not, the stream's end makes
    it so: of an OpenAI chat and of Gemini the numbers may grow from event to event."""
    if not streamed:
        return True
    match api:
        case Api.RESPONSES:
            return path[0] == "response"
        case Api.MESSAGES:
            return path[0] == "usage"  # of message_delta; message_start has them in its message
        case _:
            return False


def tokens(api: Api, usage: Mapping[str, Any]) -> Tokens:
    """The tokens that a usage object tells of.

    Raises:
        ValueError: Something in it is no number of tokens, or it tells nothing.
    """
    match api:
        case Api.CHAT:
            _must_have(usage, "prompt_tokens", "completion_tokens")
            return Tokens(
                input=at(usage, "prompt_tokens"),
                output=at(usage, "completion_tokens"),
                cache_read=at(usage, "prompt_tokens_details", "cached_tokens"),
                cache_write=at(usage, "prompt_tokens_details", "cache_write_tokens"),
                reasoning=at(usage, "completion_tokens_details", "reasoning_tokens"),
            )
        case Api.RESPONSES:
            _must_have(usage, "input_tokens", "output_tokens")
            return Tokens(
                input=at(usage, "input_tokens"),
                output=at(usage, "output_tokens"),
                cache_read=at(usage, "input_tokens_details", "cached_tokens"),
                cache_write=at(usage, "input_tokens_details", "cache_write_tokens"),
                reasoning=at(usage, "output_tokens_details", "reasoning_tokens"),
            )
        case Api.MESSAGES:
            _must_have(usage, "input_tokens", "output_tokens")
            read, written = at(usage, "cache_read_input_tokens"), at(usage, "cache_creation_input_tokens")
            return Tokens(
                input=at(usage, "input_tokens") + read + written,
                output=at(usage, "output_tokens"),
                cache_read=read,
                cache_write=written,
                reasoning=at(usage, "output_tokens_details", "thinking_tokens"),
            )
        case Api.GEMINI:
            _must_have(usage, "promptTokenCount", "candidatesTokenCount", "totalTokenCount")
            thoughts = at(usage, "thoughtsTokenCount")
            return Tokens(
                input=at(usage, "promptTokenCount") + at(usage, "toolUsePromptTokenCount"),
                output=at(usage, "candidatesTokenCount") + thoughts,
                cache_read=at(usage, "cachedContentTokenCount"),
                reasoning=thoughts,
            )


def _must_have(usage: Mapping[str, Any], *names: str) -> None:
    if all(usage.get(name) is None for name in names):
        raise ValueError("it tells no tokens")
