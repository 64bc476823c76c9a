"""Answers of the model APIs, in the shapes that their public documentation gives, with known numbers of tokens."""

import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import brotli  # pyright: ignore[reportMissingTypeStubs]

from loopyard.model_usage.metering.apis import Api
from loopyard.model_usage.metering.decoding import zstd
from loopyard.model_usage.metering.tokens import Tokens

TEXT = 'He said: "usage": {"prompt_tokens": 1}, data: [\\u0022] ☃ \\ done'
"""What the models say: looks like much of what is searched for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer to a request of one API."""

    api: Api
    streamed: bool
    body: bytes
    tokens: Tokens
    model: str
    content_type: str


def _events(events: list[tuple[str | None, Any]], *, end: str = "\n") -> bytes:
    lines: list[str] = []
    for name, data in events:
        lines += [f"event: {name}"] if name is not None else []
        lines += [f"data: {data if isinstance(data, str) else json.dumps(data)}", ""]
    return (end.join(lines) + end).encode()


CHAT_USAGE = {
    "prompt_tokens": 1200,
    "completion_tokens": 340,
    "total_tokens": 1540,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 256, "accepted_prediction_tokens": 0},
}
CHAT_TOKENS = Tokens(input=1200, output=340, cache_read=1024, reasoning=256)


def _chat() -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": TEXT, "refusal": None, "annotations": []}
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1764460800,
            "model": "gpt-5-2025-08-07",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": CHAT_USAGE,
            "service_tier": "default",
            "system_fingerprint": None,
        },
        indent=2,
    ).encode()


def _chat_stream() -> bytes:
    def chunk(choices: list[Any], usage: Any) -> dict[str, Any]:
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1764460800,
            "model": "gpt-5-2025-08-07",
            "service_tier": "default",
            "choices": choices,
            "usage": usage,
        }

    deltas: list[Any] = [{"role": "assistant", "content": ""}, *({"content": part} for part in TEXT.split(" "))]
    chunks = [chunk([{"index": 0, "delta": delta, "finish_reason": None}], None) for delta in deltas]
    chunks.append(chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}], None))
    chunks.append(chunk([], CHAT_USAGE))
    return _events([*((None, one) for one in chunks), (None, "[DONE]")])


RESPONSES_USAGE = {
    "input_tokens": 5000,
    "input_tokens_details": {"cached_tokens": 4096},
    "output_tokens": 700,
    "output_tokens_details": {"reasoning_tokens": 512},
    "total_tokens": 5700,
}
RESPONSES_TOKENS = Tokens(input=5000, output=700, cache_read=4096, reasoning=512)


def _response(status: str, usage: Any) -> dict[str, Any]:
    done = status == "completed"
    content: list[Any] = [{"type": "output_text", "text": TEXT, "annotations": []}]
    message: dict[str, Any] = {
        "type": "message",
        "id": "msg_1",
        "status": status,
        "role": "assistant",
        "content": content,
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1764460800,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": "gpt-5-codex",
        "output": [{"type": "reasoning", "id": "rs_1", "summary": []}, message] if done else [],
        "parallel_tool_calls": True,
        "reasoning": {"effort": "medium", "summary": None},
        "service_tier": "default" if done else "auto",
        "text": {"format": {"type": "text"}},
        "tools": [{"type": "function", "name": "usage", "parameters": {"model": {"usage": {"input_tokens": 1}}}}],
        "usage": usage,
        "metadata": {"usage": "none"},
    }


def _responses() -> bytes:
    return json.dumps(_response("completed", RESPONSES_USAGE)).encode()


def _responses_stream() -> bytes:
    events: list[tuple[str | None, Any]] = []

    def event(kind: str, **data: Any) -> None:
        events.append((kind, {"type": kind, "sequence_number": len(events), **data}))

    event("response.created", response=_response("in_progress", None))
    event("response.in_progress", response=_response("in_progress", None))
    event("response.output_item.added", output_index=0, item={"type": "message", "id": "msg_1", "content": []})
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    event("response.content_part.added", **place, part={"type": "output_text", "text": "", "annotations": []})
    for part in TEXT.split(" "):
        event("response.output_text.delta", **place, delta=f"{part} ")
    event("response.output_text.done", **place, text=TEXT)
    event("response.completed", response=_response("completed", RESPONSES_USAGE))
    return _events(events)


MESSAGES_TOKENS = Tokens(input=25 + 300 + 2048, output=503, cache_read=2048, cache_write=300)
_CACHE = {
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 2048,
    "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 0},
}


def _message(content: list[Any], output_tokens: int, stop_reason: str | None) -> dict[str, Any]:
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 25, **_CACHE, "output_tokens": output_tokens, "service_tier": "standard"},
    }


def _messages() -> bytes:
    call = {"type": "tool_use", "id": "toolu_1", "name": "bash", "input": {"usage": {"input_tokens": 9}}}
    return json.dumps(_message([{"type": "text", "text": TEXT}, call], 503, "tool_use")).encode()


def _messages_stream() -> bytes:
    def event(kind: str, **data: Any) -> tuple[str | None, Any]:
        return kind, {"type": kind, **data}

    return _events(
        [
            event("message_start", message=_message([], 1, None)),
            event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
            event("ping"),
            *(
                event("content_block_delta", index=0, delta={"type": "text_delta", "text": f"{part} "})
                for part in TEXT.split(" ")
            ),
            event("content_block_stop", index=0),
            event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 503}),
            event("message_stop"),
        ]
    )


GEMINI_TOKENS = Tokens(input=900 + 40, output=120 + 80, cache_read=512, reasoning=80)


def _gemini_part(text: str, candidates: int | None, reason: str | None) -> dict[str, Any]:
    usage: dict[str, Any] = {
        "promptTokenCount": 900,
        "toolUsePromptTokenCount": 40,
        "cachedContentTokenCount": 512,
        "thoughtsTokenCount": 80,
        "totalTokenCount": 1020 + (candidates or 0),
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 900}],
    }
    if candidates is not None:
        usage["candidatesTokenCount"] = candidates
    candidate: dict[str, Any] = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    if reason is not None:
        candidate["finishReason"] = reason
    return {
        "candidates": [candidate],
        "usageMetadata": usage,
        "modelVersion": "gemini-2.5-flash",
        "responseId": "r1",
    }


def _gemini_parts() -> list[dict[str, Any]]:
    return [_gemini_part(TEXT, None, None), _gemini_part("usageMetadata", 60, None), _gemini_part("!", 120, "STOP")]


def _gemini() -> bytes:
    return json.dumps(_gemini_part(TEXT, 120, "STOP")).encode()


_JSON, _SSE = "application/json", "text/event-stream"

ANSWERS: dict[str, Answer] = {
    "chat": Answer(Api.CHAT, False, _chat(), CHAT_TOKENS, "gpt-5-2025-08-07", _JSON),
    "chat-stream": Answer(Api.CHAT, True, _chat_stream(), CHAT_TOKENS, "gpt-5-2025-08-07", _SSE),
    "responses": Answer(Api.RESPONSES, False, _responses(), RESPONSES_TOKENS, "gpt-5-codex", _JSON),
    "responses-stream": Answer(Api.RESPONSES, True, _responses_stream(), RESPONSES_TOKENS, "gpt-5-codex", _SSE),
    "messages": Answer(Api.MESSAGES, False, _messages(), MESSAGES_TOKENS, "claude-sonnet-4-5-20250929", _JSON),
    "messages-stream": Answer(
        Api.MESSAGES, True, _messages_stream(), MESSAGES_TOKENS, "claude-sonnet-4-5-20250929", _SSE
    ),
    "gemini": Answer(Api.GEMINI, False, _gemini(), GEMINI_TOKENS, "gemini-2.5-flash", _JSON),
    "gemini-stream": Answer(
        Api.GEMINI,
        True,
        _events([(None, one) for one in _gemini_parts()], end="\r\n"),
        GEMINI_TOKENS,
        "gemini-2.5-flash",
        _SSE,
    ),
    "gemini-array": Answer(
        Api.GEMINI, False, json.dumps(_gemini_parts(), indent=2).encode(), GEMINI_TOKENS, "gemini-2.5-flash", _JSON
    ),
}
"""By a name that says the API and how it is answered."""


def _raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


def _in_two(compress: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda data: compress(data[: len(data) // 2]) + compress(data[len(data) // 2 :])


def _brotli(data: bytes) -> bytes:
    return cast("Any", brotli).compress(data)


ENCODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "plain": ("", lambda data: data),
    "identity": ("identity", lambda data: data),
    "gzip": ("gzip", gzip.compress),
    "gzip-members": ("x-gzip", _in_two(gzip.compress)),
    "deflate": ("deflate", zlib.compress),
    "raw-deflate": ("deflate", _raw_deflate),
    "br": ("br", _brotli),
    "zstd": ("zstd", zstd.compress),
    "zstd-frames": ("zstd", _in_two(zstd.compress)),
    "twice": ("gzip, zstd", lambda data: zstd.compress(gzip.compress(data))),
}
"""By a name: the header's value, and what encodes."""
