"""A host that cases fetch files and a repository from, in a network of its own: `python remote.py ROOT PORT` there."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.integration.devbox.away_network import away_network, wait_until_listening
from tests.integration.devbox.git_host import answer_by_git

MODIFIED = "Sun, 09 Sep 2001 01:46:40 GMT"
"""When files were changed, but for those whose name begins with `undated`: 1,000,000,000 seconds after 1970."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers["Content-Length"])))

    def _serve(self, body: bytes) -> None:
        root = Path(sys.argv[1])
        path, _, query = self.path.partition("?")
        if path.startswith("/git/"):
            answer_by_git(self, str(root / "git"), path.removeprefix("/git"), query, body)
            return
        if path.startswith("/moved/"):
            self._answer(302, b"", {"Location": f"/files/{path.removeprefix('/moved/')}"})
            return
        file = root / "files" / path.removeprefix("/files/")
        if not path.startswith("/files/") or not file.is_file():
            self._answer(404, b"there is nothing", {})
            return
        self._answer(200, file.read_bytes(), {} if file.name.startswith("undated") else {"Last-Modified": MODIFIED})

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: nobody reads it."""


_REPOSITORIES = """
set -e
export GIT_AUTHOR_DATE=2001-09-09T01:46:40Z GIT_COMMITTER_DATE=2001-09-09T01:46:40Z
export GIT_AUTHOR_NAME=Tester GIT_AUTHOR_EMAIL=tester@example.org GIT_COMMITTER_NAME=Tester
export GIT_COMMITTER_EMAIL=tester@example.org
git init --quiet --bare --initial-branch=main git/part.git
git init --quiet --bare --initial-branch=main git/tools.git
git -C git/tools.git config uploadpack.allowAnySHA1InWant true
git init --quiet --initial-branch=main part
(cd part; echo part >file; git add .; git commit --quiet -m part; git push --quiet ../git/part.git main)
git init --quiet --initial-branch=main tools
cd tools
mkdir -p sub/deep; echo one >file; echo deep >sub/deep/file; printf '#!/bin/sh\\n' >run; chmod 755 run; ln -s file link
git add .; git commit --quiet -m one; git tag v1; git tag -a -m annotated v1-annotated
echo two >file; git commit --quiet -am two
git push --quiet ../git/tools.git main v1 v1-annotated
git checkout --quiet -b topic/x v1; echo topic >file; git commit --quiet -am topic
git push --quiet ../git/tools.git topic/x
git checkout --quiet -b whole main
git -c protocol.file.allow=always submodule --quiet add ../git/part.git part 2>/dev/null
git config --file .gitmodules submodule.part.url ../part.git
git commit --quiet -am whole; git push --quiet ../git/tools.git whole
git rev-parse v1^{commit}
"""


@contextmanager
def remote_host(folder: Path) -> Generator[dict[str, str]]:
    """Serve files and repositories; gives what cases call them: `WEB` and `GIT` are URLs of folders, `URL`
    and `ADDRESS` those of the host, `COMMIT` is the commit of the tag v1, `SHORT` its first digits."""
    (folder / "files").mkdir()
    (folder / "files/a.txt").write_text("a\n")
    (folder / "files/undated.txt").write_text("u\n")
    options = "--owner=9 --group=9 --mode=640 --mtime=@1000"
    pack = f"tar --create --gzip {options} --directory=tools --file=files/pack.tgz file"
    made = subprocess.run(
        ["bash", "-c", f"{_REPOSITORIES}cd ..; {pack}"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    commit = made.stdout.split()[-1]
    with away_network() as (name, address):
        command = ["ip", "netns", "exec", name, sys.executable, __file__, str(folder), "8000"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(command, env=environment) as process:
            try:
                wait_until_listening(address, 8000)
                url = f"http://{address}:8000"
                yield {
                    "ADDRESS": address,
                    "WEB": f"{url}/files",
                    "URL": url,
                    "GIT": f"{url}/git",
                    "COMMIT": commit,
                    "SHORT": commit[:10],
                }
            finally:
                process.terminate()


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", int(sys.argv[2])), Handler).serve_forever()  # noqa: S104
