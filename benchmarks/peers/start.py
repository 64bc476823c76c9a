"""Starts the engines that this machine has, with the image that Loopyard's own boxes are made of."""

import shutil
import subprocess
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import anyio

from benchmarks.http_client import HttpClient
from benchmarks.peers.engine import IMAGE, Engine, EngineError
from benchmarks.peers.private import inside, private_daemon
from benchmarks.result import Subject

_START_SECONDS = 60


@asynccontextmanager
async def engines(image: Path, wanted: Sequence[Subject]) -> AsyncGenerator[tuple[list[Engine], dict[str, str]]]:
    """The engines that could be started, and for each of the wanted its version or the reason why it is not there.

    `image` is a root file system: a folder.
    """
    async with AsyncExitStack() as stack:
        running: list[Engine] = []
        told: dict[str, str] = {}
        for subject in wanted:
            program = "dockerd" if subject == "docker" else subject
            if not (shutil.which(subject) and shutil.which(program)):
                told[subject] = "not installed"
                continue
            try:
                engine = await stack.enter_async_context(_engine(subject, image))
            except (EngineError, OSError, subprocess.CalledProcessError) as error:
                told[subject] = f"could not be started: {error}"
                continue
            running.append(engine)
            told[subject] = engine.version
        yield running, told


@asynccontextmanager
async def _engine(subject: Subject, image: Path) -> AsyncGenerator[Engine]:
    folder = Path(tempfile.mkdtemp(prefix=f"loopyard-bench-{subject}-"))
    socket, log = folder / "socket", folder / "log"
    podman = _podman(folder)
    daemon = _dockerd(folder, socket) if subject == "docker" else _podman_service(podman, socket)
    try:
        with private_daemon(daemon, log) as holder:
            http = HttpClient("http://engine", socket=str(socket))
            try:
                version = await _ready(subject, http, log)
                command = ("docker", "-H", f"unix://{socket}") if subject == "docker" else inside(holder, *podman)
                engine = Engine(subject, version, command, http, holder)
                await _import(engine, image, folder)
                yield engine
                await engine.remove_all()
            finally:
                await http.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _podman(folder: Path) -> tuple[str | Path, ...]:
    kept = ("--root", folder / "root", "--runroot", folder / "run", "--tmpdir", folder / "tmp")
    return ("podman", *kept, "--cgroup-manager=cgroupfs", "--events-backend=none", "--storage-driver=overlay")


def _podman_service(podman: Sequence[str | Path], socket: Path) -> tuple[str | Path, ...]:
    return (*podman, "system", "service", "--time=0", f"unix://{socket}")


def _dockerd(folder: Path, socket: Path) -> tuple[str | Path, ...]:
    kept = ("--data-root", folder / "data", "--exec-root", folder / "run", "--pidfile", folder / "pid")
    return ("dockerd", *kept, "--host", f"unix://{socket}", "--exec-opt", "native.cgroupdriver=cgroupfs")


async def _ready(subject: Subject, http: HttpClient, log: Path) -> str:
    """Wait until it answers, and return its version."""
    with anyio.move_on_after(_START_SECONDS):
        while True:
            try:
                return (await http.ask("GET", "/version"))["Version"]
            except aiohttp.ClientConnectionError:
                await anyio.sleep(0.1)
    raise EngineError(f"{subject} does not answer. Its log ends: {log.read_text(errors='replace')[-400:].strip()}")


async def _import(engine: Engine, image: Path, folder: Path) -> None:
    archive = folder / "image.tar"
    await anyio.run_process(("tar", "-C", image, "--numeric-owner", "-cf", archive, "."))
    await engine.run("import", archive, IMAGE)
    archive.unlink()
