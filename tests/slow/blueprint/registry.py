"""Registries of images that answer as the OCI's specification says, with one image: `python registry.py FOLDER`.

One wants no login, one wants it with each request, and one wants a token, which it gives to who logs in. Two more want
no login and speak TLS, if their certificates are in FOLDER/known.pem and FOLDER/unknown.pem. FOLDER/log
gets `port name status` for each request of a manifest, and `port name status blob` for each of anything else that is
in an image.
"""

import base64
import gzip
import hashlib
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from tests.integration.devbox.authority import Authority
from tests.integration.devbox.away_network import away_network, wait_until_listening

USER, PASSWORD = "someone", "a-password-that-is-secret"
_TOKEN = "a-token-of-the-registry"
OPEN, BASIC, TOKEN, KNOWN, UNKNOWN = range(5000, 5005)
"""Ports of the five."""

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def make_image(folder: Path, archive: Path) -> None:
    """Write an image of a root file system's archive as the registry gives it."""
    blobs = folder / "blobs"
    blobs.mkdir()

    def keep(content: bytes, kind: str) -> dict[str, object]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        (blobs / digest).write_bytes(content)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest, "size": len(content)}

    plain = archive.read_bytes()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["FROM_REGISTRY=yes"], "Cmd": ["sleep", "600"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(plain).hexdigest()}"]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": keep(json.dumps(config).encode(), "config.v1+json"),
        "layers": [keep(gzip.compress(plain), "layer.v1.tar+gzip")],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def _port(self) -> int:
        """The port that was asked."""
        return int(self.connection.getsockname()[1])

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        folder, path = Path(sys.argv[1]), urlsplit(self.path).path
        if path == "/token":
            status, told = (200, {"token": _TOKEN}) if self._logged_in else (401, {})
            self._answer(status, json.dumps(told).encode())
            return
        name, _, wanted = path.removeprefix("/v2/").rpartition("/")
        name, _, kind = name.rpartition("/")
        status = 200 if self._may else 401
        if kind in ("manifests", "blobs"):
            with (folder / "log").open("a") as file:
                file.write(f"{self._port} {name} {status}{' blob' if kind == 'blobs' else ''}\n")
        if status == 401:
            self._answer(401, b'{"errors":[{"code":"UNAUTHORIZED","message":"who are you?"}]}', asks=name)
        elif path == "/v2/":
            self._answer(200, b"{}")
        elif kind == "manifests" and not name.endswith("/none"):
            self._answer(200, (folder / "manifest.json").read_bytes(), _MANIFEST)
        elif kind == "blobs" and (folder / "blobs" / wanted).is_file():
            self._answer(200, (folder / "blobs" / wanted).read_bytes(), "application/octet-stream")
        else:
            self._answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"there is none"}]}')

    @property
    def _logged_in(self) -> bool:
        return self.headers["Authorization"] == f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"

    @property
    def _may(self) -> bool:
        if self._port == BASIC:
            return self._logged_in
        return self._port != TOKEN or self.headers["Authorization"] == f"Bearer {_TOKEN}"

    def _answer(self, status: int, content: bytes, kind: str = "application/json", asks: str | None = None) -> None:
        self.send_response(status)
        if asks is not None and self._port == TOKEN:
            where = f'realm="http://{self.headers["Host"]}/token",service="registry",scope="repository:{asks}:pull"'
            self.send_header("WWW-Authenticate", f"Bearer {where}")
        elif asks is not None:
            self.send_header("WWW-Authenticate", 'Basic realm="registry"')
        self.send_header("Content-Type", kind)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header("Docker-Content-Digest", f"sha256:{hashlib.sha256(content).hexdigest()}")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the log is written by hand."""


@contextmanager
def registries(folder: Path, archive: Path) -> Generator[str]:
    """Serve the image of an archive; gives the address at which builds find it. FOLDER/known/authority.pem vouches for
    one of the two that speak TLS."""
    make_image(folder, archive)
    with away_network() as (name, address):
        for which in ("known", "unknown"):
            (folder / which).mkdir()
            Authority(folder / which).certify(address).rename(folder / f"{which}.pem")
        command = ["ip", "netns", "exec", name, sys.executable, __file__, str(folder)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(command, env=environment) as process:
            try:
                for port in (OPEN, BASIC, TOKEN, KNOWN, UNKNOWN):
                    wait_until_listening(address, port)
                yield address
            finally:
                process.terminate()


@contextmanager
def registries_beside(pid: int, folder: Path, archive: Path) -> Generator[str]:
    """Serve the image of an archive, without TLS, in the network of a process; gives the address there."""
    make_image(folder, archive)
    inside = ["nsenter", "--target", str(pid), "--net"]
    subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([*inside, sys.executable, __file__, str(folder)], env=environment) as process:
        try:
            for port in (OPEN, BASIC, TOKEN):
                listening = f"until (</dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.05; done"
                subprocess.run([*inside, "timeout", "20", "bash", "-c", listening], check=True)
            yield "127.0.0.1"
        finally:
            process.terminate()


if __name__ == "__main__":
    for port, certificate in ((BASIC, None), (TOKEN, None), (KNOWN, "known.pem"), (UNKNOWN, "unknown.pem")):
        if certificate is not None and not (Path(sys.argv[1]) / certificate).exists():
            continue
        other = ThreadingHTTPServer(("0.0.0.0", port), Handler)  # noqa: S104
        if certificate is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(Path(sys.argv[1]) / certificate)
            other.socket = tls.wrap_socket(other.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=other.serve_forever, daemon=True).start()
    ThreadingHTTPServer(("0.0.0.0", OPEN), Handler).serve_forever()  # noqa: S104
