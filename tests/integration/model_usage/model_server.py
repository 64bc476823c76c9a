"""A model server of the tests' own: plays back answers of each API, as its path and its query ask for."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.model_answers import ANSWERS, ENCODINGS

SECRET = "sk-upstream-7f3a9c51d2e84b60"

HOSTS = {"anthropic": "127.0.0.2", "openai": "127.0.0.3", "google": "127.0.0.4"}
"""Where each provider's models are called; their prices are those of the provider."""

_PIECE = 700


class ModelServer:
    """Serves on the same port of several loopback addresses."""

    def __init__(self) -> None:
        self.hold = threading.Event()
        """What answers that are to be held back wait for in their middle."""
        self.held = threading.Semaphore(0)
        """Released by each answer that is held back."""
        first = _Server((HOSTS["anthropic"], 0), self)
        self.port = first.server_port
        self._servers = [first, *(_Server((host, self.port), self) for host in list(HOSTS.values())[1:])]

    def start(self) -> None:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.hold.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def url(self, provider: str) -> str:
        return f"http://{HOSTS[provider]}:{self.port}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], models: ModelServer) -> None:
        super().__init__(address, _Handler)
        self.models = models

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of callers that are gone."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server  # type: ignore[assignment]

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"{}")
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if (status := int(query.get("status", "200"))) != 200:
            self._send(status, "application/json", json.dumps({"error": {"message": "no"}}).encode())
            return
        answer = ANSWERS[_name(parts.path, streamed=bool(asked.get("stream")), sse=query.get("alt") == "sse")]
        body = answer.body
        if "echo" in query:
            body = body.replace(b"done", json.dumps(self.headers["authorization"]).encode()[1:-1])
        encoding, encode = ENCODINGS[query.get("encoding", "plain")]
        self.send_response(200)
        self.send_header("content-type", answer.content_type)
        if encoding:
            self.send_header("content-encoding", encoding)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        data = encode(body)
        for at in range(0, len(data), _PIECE):
            if at and "cut" in query:
                self.close_connection = True
                return
            if at and "held" in query:
                self.server.models.held.release()
                self.server.models.hold.wait()
            self._chunk(data[at : at + _PIECE])
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _name(path: str, *, streamed: bool, sse: bool) -> str:
    if path.endswith(":streamGenerateContent"):
        return "gemini-stream" if sse else "gemini-array"
    if path.endswith(":generateContent"):
        return "gemini"
    name = {"completions": "chat", "responses": "responses", "messages": "messages"}[path.rpartition("/")[2]]
    return f"{name}-stream" if streamed else name


@contextmanager
def serving_models() -> Generator[ModelServer]:
    """A model server for the time of a block."""
    models = ModelServer()
    models.start()
    try:
        yield models
    finally:
        models.close()
