"""A model server for agents in devboxes, on the loopback address of the box: it answers every prompt with one text, in
the three APIs that agents speak, and streams if it is asked to. Standard library only; it runs inside of devboxes."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TEXT = "The tests say hello."
PORT = 8099
REQUESTS = "/tmp/model-requests"


class Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._json({"object": "list", "data": [{"id": "played", "object": "model"}]})

    def do_HEAD(self) -> None:
        self._json({})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        path = self.path.partition("?")[0]
        with Path(REQUESTS).open("a") as log:
            log.write(json.dumps({"path": path, "body": body}) + "\n")
        if path.endswith("/messages"):
            self._messages(body)
        elif path.endswith("/responses"):
            self._responses()
        elif path.endswith("/chat/completions"):
            self._completions(body)
        elif path.endswith("/count_tokens"):
            self._json({"input_tokens": 10})
        else:
            self._json({})

    def _messages(self, body: dict[str, Any]) -> None:
        usage = {"input_tokens": 10, "output_tokens": 5}
        message: dict[str, Any] = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": body.get("model", "played"),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }
        block = {"type": "text", "text": TEXT}
        if not body.get("stream"):
            self._json({**message, "content": [block], "stop_reason": "end_turn"})
            return
        self._events(
            ("message_start", {"message": message}),
            ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
            ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": TEXT}}),
            ("content_block_stop", {"index": 0}),
            ("message_delta", {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage}),
            ("message_stop", {}),
        )

    def _responses(self) -> None:
        part: dict[str, Any] = {"type": "output_text", "text": TEXT, "annotations": []}
        item: dict[str, Any] = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [part],
        }
        usage = {
            "input_tokens": 10,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 15,
        }
        response: dict[str, Any] = {"id": "resp_1", "object": "response", "status": "in_progress", "output": []}
        self._events(
            ("response.created", {"response": response}),
            (
                "response.output_item.added",
                {"output_index": 0, "item": {**item, "status": "in_progress", "content": []}},
            ),
            ("response.output_text.delta", {"item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": TEXT}),
            ("response.output_item.done", {"output_index": 0, "item": item}),
            (
                "response.completed",
                {"response": {**response, "status": "completed", "output": [item], "usage": usage}},
            ),
        )

    def _completions(self, body: dict[str, Any]) -> None:
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        base = {"id": "c1", "created": 1, "model": "played"}
        if not body.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}
            self._json({**base, "object": "chat.completion", "choices": [choice], "usage": usage})
            return
        base["object"] = "chat.completion.chunk"
        delta = {"role": "assistant", "content": TEXT}
        self._send(
            "text/event-stream",
            b"".join(
                b"data: " + data + b"\n\n"
                for data in (
                    json.dumps({**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}).encode(),
                    json.dumps(
                        {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage}
                    ).encode(),
                    b"[DONE]",
                )
            ),
        )

    def _events(self, *events: tuple[str, dict[str, Any]]) -> None:
        lines = [f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n" for name, data in events]
        self._send("text/event-stream", "".join(lines).encode())

    def _json(self, body: Any) -> None:
        self._send("application/json", json.dumps(body).encode())

    def _send(self, kind: str, data: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", PORT), Model).serve_forever()
