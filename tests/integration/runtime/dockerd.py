"""A Docker of the tests' own, in namespaces of its own and with a way out: it touches nothing of this machine."""

import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
from collections.abc import Generator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from socket import AF_UNIX, socket

from benchmarks.peers.private import inside, private_daemon
from tests.suite.spent import spent

_START_SECONDS = 60
_numbers = itertools.count()


class _WayOut:
    """What an engine's way out is called on this machine. Each has its own: several may run at a time."""

    def __init__(self) -> None:
        number, pid = next(_numbers), os.getpid()
        self.link = f"lyt{number}-{pid}"
        self.table = f"loopyard_test_{pid}_{number}"
        self.host, self.engine = (f"10.{230 - number}.{pid // 64 % 256}.{pid % 64 * 4 + end}" for end in (1, 2))

    @property
    def masquerade(self) -> str:
        return f"""
table ip {self.table} {{}}
delete table ip {self.table}
table ip {self.table} {{
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr {self.engine} masquerade
    }}
}}
"""


class NoEngine(Exception):
    """No Docker can be started here; the message says why."""


@contextmanager
def docker_engine() -> Generator[Path]:
    """Start dockerd; gives its socket. At the end it is gone with all that it made.

    Raises:
        NoEngine: It is not installed, or does not start.
    """
    if shutil.which("dockerd") is None:
        raise NoEngine("dockerd is not installed (apt-get install docker.io)")
    way_out = _WayOut()
    folder = Path(tempfile.mkdtemp(prefix="loopyard-test-docker-"))
    path, log = folder / "socket", folder / "log"
    kept = ("--data-root", folder / "data", "--exec-root", folder / "run", "--pidfile", folder / "pid")
    daemon = ("dockerd", *kept, "--host", f"unix://{path}", "--exec-opt", "native.cgroupdriver=cgroupfs")
    try:
        with private_daemon(daemon, log) as holder:
            with spent("Docker"):
                _wait(path, log)
                _open_way_out(holder, way_out)
            yield path
    finally:
        subprocess.run(("nft", "delete", "table", "ip", way_out.table), check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def _open_way_out(holder: int, way_out: _WayOut) -> None:
    """A link between this network and the engine's; masquerading is what makes it a way out."""
    first = inside(holder)[2]
    _run("ip", "link", "add", way_out.link, "type", "veth", "peer", "name", "outside", "netns", str(first))
    _run("ip", "addr", "add", f"{way_out.host}/30", "dev", way_out.link)
    _run("ip", "link", "set", way_out.link, "up")
    enter = tuple(map(str, inside(holder)))
    _run(*enter, "ip", "addr", "add", f"{way_out.engine}/30", "dev", "outside")
    _run(*enter, "ip", "link", "set", "outside", "up")
    _run(*enter, "ip", "route", "add", "default", "via", way_out.host)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    subprocess.run(("nft", "-f", "-"), input=way_out.masquerade, text=True, check=True)


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise NoEngine(f"{' '.join(command)}: {done.stderr.strip()}")


def _wait(path: Path, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if path.is_socket() and _answers(path):
            return
        time.sleep(0.1)
    raise NoEngine(f"dockerd does not answer. Its log ends: {log.read_text(errors='replace')[-400:].strip()}")


def _answers(path: Path) -> bool:
    connection = HTTPConnection("engine")
    connection.sock = socket(AF_UNIX)
    try:
        connection.sock.connect(str(path))
        connection.request("GET", "/version")
        return "Version" in json.loads(connection.getresponse().read())
    except (OSError, ValueError, urllib.error.URLError):
        return False
    finally:
        connection.close()
