"""A model of the tests' own, with the APIs of OpenAI (chat completions, responses) and Anthropic (messages).

It plays turns back: shell commands, one for each answer, each once the output of the one before has come.
"""

import asyncio
import json
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from aiohttp import web

KEY = "sk-the-real-key-of-the-model"
_USAGE = {"input": 100, "output": 20}


class ModelServer:
    """What a test sees of it. Wait for `reached`, a turn before the last, and set `may_go_on`."""

    def __init__(self, turns: Sequence[str]) -> None:
        self.turns = list(turns)
        self.port = 0
        self.asked: list[tuple[str, dict[str, Any]]] = []
        """The path and body of each request."""
        self.refused = 0
        """How many requests had not the key."""
        self.reached = threading.Event()
        self.may_go_on = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def command(self, done: int) -> str | None:
        """The command after so many outputs; None at the end."""
        if done == len(self.turns) - 1:
            self.reached.set()
            await asyncio.to_thread(self.may_go_on.wait, 60)
        return self.turns[done] if done < len(self.turns) else None


def _app(model: ModelServer) -> web.Application:
    async def asked(request: web.Request) -> dict[str, Any] | None:
        body: dict[str, Any] = await request.json()
        model.asked.append((request.path, body))
        given = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
        if given != KEY:
            model.refused += 1
            return None
        return body

    async def chat(request: web.Request) -> web.StreamResponse:
        if (body := await asked(request)) is None:
            return _wrong_key()
        done = sum(message["role"] == "tool" for message in body["messages"])
        command = await model.command(done)
        message: dict[str, Any] = {"role": "assistant", "content": f"Step {done + 1}."}
        if command is not None:
            name = body["tools"][0]["function"]["name"]
            call = {"name": name, "arguments": json.dumps({"command": command})}
            message["tool_calls"] = [{"id": f"call_{done}", "type": "function", "function": call}]
        choice = {"index": 0, "message": message, "finish_reason": "stop" if command is None else "tool_calls"}
        usage = {"prompt_tokens": _USAGE["input"], "completion_tokens": _USAGE["output"], "total_tokens": 120}
        answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": body["model"]}
        return web.json_response({**answer, "choices": [choice], "usage": usage})

    async def messages(request: web.Request) -> web.StreamResponse:
        if (body := await asked(request)) is None:
            return _wrong_key()
        offered: list[dict[str, Any]] = body.get("tools") or []
        tools = [tool.get("name") for tool in offered]
        parts = [part for message in body["messages"] for part in _parts(message["content"])]
        done = sum(part.get("type") == "tool_result" for part in parts)
        command = await model.command(done) if "Bash" in tools else None
        block: dict[str, Any] = {"type": "text", "text": "Done."}
        if command is not None:
            given = {"command": command, "description": "a step"}
            block = {"type": "tool_use", "id": f"toolu_{done}", "name": "Bash", "input": given}
        usage = {"input_tokens": _USAGE["input"], "output_tokens": _USAGE["output"]}
        message = {"id": f"msg_{done}", "type": "message", "role": "assistant", "model": body["model"]}
        message["content"] = [block]
        message |= {"stop_reason": "end_turn" if command is None else "tool_use", "stop_sequence": None, "usage": usage}
        if not body.get("stream"):
            return web.json_response(message)
        return await _stream(request, _anthropic_events(message, block))

    async def responses(request: web.Request) -> web.StreamResponse:
        if (body := await asked(request)) is None:
            return _wrong_key()
        done = sum(str(item.get("type", "")).endswith("_output") for item in body["input"])
        command = await model.command(done)
        item: dict[str, Any] = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
        item["content"] = [{"type": "output_text", "text": "Done.", "annotations": []}]
        if command is not None:
            item = {"type": "function_call", "id": f"fc_{done}", "call_id": f"call_{done}", "status": "completed"}
            item |= _shell_call(body["tools"], command)
        usage = {"input_tokens": _USAGE["input"], "output_tokens": _USAGE["output"], "total_tokens": 120}
        usage |= {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
        response = {"id": f"resp_{done}", "object": "response", "created_at": 1, "status": "completed"}
        response |= {"model": body["model"], "output": [item], "usage": usage}
        events: list[dict[str, Any]] = [
            {"type": "response.created", "response": {**response, "status": "in_progress", "output": []}},
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": response},
        ]
        return await _stream(request, events)

    async def anything(request: web.Request) -> web.StreamResponse:
        model.asked.append((request.path, {}))
        return web.json_response({"error": {"message": f"There is no {request.path}."}}, status=404)

    app = web.Application(client_max_size=1 << 28)
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_post("/v1/messages", messages)
    app.router.add_post("/v1/responses", responses)
    app.router.add_route("*", "/{rest:.*}", anything)
    return app


def _shell_call(tools: list[dict[str, Any]], command: str) -> dict[str, str]:
    """A call of whichever tool runs commands."""
    names = {tool.get("name"): tool for tool in tools}
    for name in ("exec_command", "shell_command", "shell"):
        if name not in names:
            continue
        properties = names[name]["parameters"]["properties"]
        given: dict[str, Any] = {"cmd": command} if "cmd" in properties else {"command": command}
        if properties.get("command", {}).get("type") == "array":
            given = {"command": ["bash", "-lc", command]}
        return {"name": name, "arguments": json.dumps(given)}
    raise AssertionError(f"none of the tools runs commands: {sorted(map(str, names))}")


def _parts(content: Any) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", content) if isinstance(content, list) else []


def _anthropic_events(message: dict[str, Any], block: dict[str, Any]) -> list[dict[str, Any]]:
    begun: dict[str, Any] = {
        **message,
        "content": [],
        "stop_reason": None,
        "usage": {**message["usage"], "output_tokens": 1},
    }
    if block["type"] == "tool_use":
        start: dict[str, Any] = {**block, "input": {}}
        delta: dict[str, Any] = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    else:
        start, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": block["text"]}
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    return [
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": start},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ended, "usage": {"output_tokens": _USAGE["output"]}},
        {"type": "message_stop"},
    ]


async def _stream(request: web.Request, events: list[dict[str, Any]]) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await answer.prepare(request)
    for event in events:
        await answer.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
    return answer


def _wrong_key() -> web.Response:
    return web.json_response({"error": {"message": "Wrong key.", "type": "authentication_error"}}, status=401)


@contextmanager
def model_server(turns: Sequence[str]) -> Generator[ModelServer]:
    """One on a free port of the loopback address."""
    model = ModelServer(turns)
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(_app(model), access_log=None, shutdown_timeout=1)

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        model.port = runner.addresses[0][1]

    loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield model
    finally:
        model.may_go_on.set()
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
