"""A model server with the API of OpenAI, in a network namespace of its own behind a router, as models are for devboxes.

Run as `python model_host.py SCRIPT LOG KEY PORT`. SCRIPT is a JSON list of shell commands: the model's turns. It asks
for them one after the other through the tool that the agent offers, each once the output of the one before has come.
LOG gets each request, as a line of JSON.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

KEY = "sk-canary-of-the-model"
PORT = 8000


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        script, log, key, _ = sys.argv[1:]
        request: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open(log, "a") as file:  # noqa: PTH123
            file.write(json.dumps(request) + "\n")
        if self.path != "/v1/chat/completions":
            self._answer(404, {"error": {"message": f"There is no {self.path}."}})
        elif self.headers["Authorization"] != f"Bearer {key}":
            self._answer(401, {"error": {"message": "Wrong key.", "type": "invalid_request_error"}})
        else:
            turns: list[str] = json.loads(Path(script).read_text())
            done = sum(message["role"] == "tool" for message in request["messages"])
            self._answer(200, _completion(request, turns[done], done))

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the log is written by hand."""


def _completion(request: dict[str, Any], command: str, number: int) -> dict[str, Any]:
    name = request["tools"][0]["function"]["name"]
    call = {"name": name, "arguments": json.dumps({"command": command})}
    message = {
        "role": "assistant",
        "content": f"Step {number + 1}.",
        "tool_calls": [{"id": f"call_{number}", "type": "function", "function": call}],
    }
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }


@contextmanager
def model_host(folder: Path, turns: Sequence[str]) -> Generator[str]:
    """Serve a model that takes these turns; gives the URL at which devboxes find it. `folder/log` gets the requests."""
    name, link = f"lymod{os.getpid()}", f"lm{os.getpid()}"
    block = os.getpid() % 62 * 4
    ours, theirs = f"192.0.2.{block + 1}", f"192.0.2.{block + 2}"
    away = f"203.0.113.{block + 3}"  # behind a router, since the networks next to the host are closed to devboxes
    (folder / "script").write_text(json.dumps([*turns]))
    (folder / "log").touch()
    _ip("netns", "add", name)
    try:
        _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("address", "add", f"{ours}/30", "dev", link)
        _ip("link", "set", link, "up")
        _ip("route", "add", f"{away}/32", "via", theirs)
        for arguments in (
            ("address", "add", f"{theirs}/30", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("link", "set", "lo", "up"),
            ("address", "add", f"{away}/32", "dev", "lo"),
            ("route", "add", "default", "via", ours),
        ):
            _ip("-n", name, *arguments)
        command = [sys.executable, __file__, str(folder / "script"), str(folder / "log"), KEY, str(PORT)]
        with subprocess.Popen(["ip", "netns", "exec", name, *command]) as process:
            try:
                yield f"http://{away}:{PORT}/v1"
            finally:
                process.terminate()
    finally:
        with suppress(subprocess.CalledProcessError):
            _ip("link", "delete", link)
        _ip("netns", "delete", name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", int(sys.argv[4])), Handler).serve_forever()  # noqa: S104
