"""Git over HTTP in a network namespace of its own, run as `python git_host.py ROOT LOG TOKEN PORT [CERTIFICATE]`; with
a file of a certificate and its key, over TLS.

Repositories are at /{owner}/{name}.git. Those of the owner `private` want the token as the password, and every answer
to a fetch of theirs takes a second, so that there is time to look around meanwhile. LOG gets `path allowed` for each
request.
"""

import base64
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FETCH_SECONDS = 1.0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/private/"):
            time.sleep(FETCH_SECONDS)
        self._serve(body)

    def _serve(self, body: bytes) -> None:
        root, log, token = sys.argv[1:4]
        path, _, query = self.path.partition("?")
        wanted = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        allowed = not path.startswith("/private/") or self.headers["Authorization"] == f"Basic {wanted}"
        with open(log, "a") as file:  # noqa: PTH123
            file.write(f"{path} {allowed}\n")
        if not allowed:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        answer_by_git(self, root, path, query, body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the log is written by hand."""


def answer_by_git(request: BaseHTTPRequestHandler, root: str, path: str, query: str, body: bytes) -> None:
    """Answer a request with what git's own program for HTTP says of the repositories below `root`."""
    environment = {
        **os.environ,
        "GIT_PROJECT_ROOT": root,
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REQUEST_METHOD": request.command,
        "CONTENT_TYPE": request.headers["Content-Type"] or "",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": request.headers["Content-Encoding"] or "",
        "GIT_PROTOCOL": request.headers["Git-Protocol"] or "",
    }
    made = subprocess.run(["git", "http-backend"], input=body, env=environment, capture_output=True, check=True)
    head, _, content = made.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    request.send_response(int(headers.pop("Status", "200").split()[0]))
    for name, value in (headers | {"Content-Length": str(len(content))}).items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(content)


def make_repositories(folder: Path) -> None:
    """Make `tools` of the owners `public` and `private`, with some history, below `folder/root`."""
    for owner in ("public", "private"):
        bare = folder / "root" / owner / "tools.git"
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", bare], check=True)
        work = folder / f"work-{owner}"
        subprocess.run(["git", "clone", "--quiet", bare, work], check=True, stderr=subprocess.DEVNULL)
        script = f"""
            set -e
            git config user.name Tester; git config user.email tester@example.org
            git checkout --quiet -B main
            echo {owner} one > file; git add .; git commit --quiet -m one; git tag v1
            echo {owner} two > file; git commit --quiet -am two
            git push --quiet origin main v1
            git checkout --quiet -b topic; echo {owner} topic > file; git commit --quiet -am topic
            git push --quiet origin topic
        """
        subprocess.run(["bash", "-c", script], cwd=work, check=True)


@contextmanager
def git_host(folder: Path, token: str, certify: Callable[[str], Path] | None = None) -> Generator[str]:
    """Serve the repositories below `folder/root`; gives the URL at which devboxes find it. With `certify`, which gives
    the file of a certificate and its key for an address, they are served over TLS."""
    from tests.integration.devbox.away_network import away_network

    with away_network() as (name, address):
        command = [sys.executable, __file__, str(folder / "root"), str(folder / "log"), token, "8000"]
        command += [] if certify is None else [str(certify(address))]
        with subprocess.Popen(["ip", "netns", "exec", name, *command]) as process:
            try:
                yield f"http{'' if certify is None else 's'}://{address}:8000"
            finally:
                process.terminate()


if __name__ == "__main__":
    listener = ThreadingHTTPServer(("0.0.0.0", int(sys.argv[4])), Handler)  # noqa: S104
    if sys.argv[5:]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[5])
        listener.socket = context.wrap_socket(listener.socket, server_side=True)
    listener.serve_forever()
