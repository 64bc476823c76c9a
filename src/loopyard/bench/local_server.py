"""A server of the bench's own, where none is named: started for the time of the run over the usual data folder."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from runloop_api_client import APIError, AsyncRunloop

START_SECONDS = 1800
"""A first start builds the base image, from packages that may come over a slow line."""

STOP_SECONDS = 60
LOG_FILE = "bench-server.log"

_URL_IS = "Loopyard listens on "
_KEY_IS = "export RUNLOOP_API_KEY="
_KEY_IS_IN = "The API key is in "
_SHOWN_BYTES = 3000
_LOOK_SECONDS = 0.05

_WARNING = re.compile(r" (WARNING|ERROR) [\w.]+: (?P<message>.+)")


class ServerFailed(Exception):
    """The server could not be started or reached; the message says why."""


@asynccontextmanager
async def local_server(data_dir: Path, notice: Callable[[str], None]) -> AsyncGenerator[AsyncRunloop]:
    """A client of a server that is ended with the block, after the block has shut down its boxes.

    The server is in a session of its own, so that Ctrl-C in the terminal reaches the bench alone, which still needs the
    server to shut its boxes down. Should the bench be killed, the kernel ends the server.

    Args:
        data_dir: The server's data folder. It may be in use by no other server.
        notice: Told, in a line, what is being waited for.

    Raises:
        ServerFailed: It did not start; the message holds the end of its log.
    """
    from loopyard.runtime.syscalls import end_with_parent  # only Linux has it, and a server

    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = data_dir / LOG_FILE
    notice("starting a server (its first start makes the base image of the boxes)")
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "loopyard", "serve", "--port", "0", "--data-dir", str(data_dir)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=sink,
            start_new_session=True,
            preexec_fn=partial(_die_with_parent, end_with_parent),
        )
    warnings = asyncio.create_task(_pass_on(log, notice))
    try:
        url, key = await _announced(process, log)
        warnings.cancel()
        async with AsyncRunloop(base_url=url, bearer_token=key) as client:
            await _answering(client)
            notice(f"the server answers on {url}")
            yield client
            notice("ending the server")
    finally:
        warnings.cancel()
        await _stop(process)


def _die_with_parent(end_with_parent: Callable[[int], None]) -> None:
    end_with_parent(signal.SIGTERM)
    # Ctrl-C may be ignored in the bench (nohup does that); the server's own handling must not inherit it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


async def _announced(process: asyncio.subprocess.Process, log: Path) -> tuple[str, str]:
    """The server's URL and key, once it has printed the one, and the other or the file that holds it."""
    assert process.stdout is not None  # noqa: S101
    url = ""
    try:
        async with asyncio.timeout(START_SECONDS):
            async for line in process.stdout:
                text = line.decode(errors="replace").strip()
                if text.startswith(_URL_IS):
                    url = text.removeprefix(_URL_IS)
                elif text.startswith(_KEY_IS):
                    return url, text.removeprefix(_KEY_IS)
                elif text.startswith(_KEY_IS_IN):
                    return url, Path(text.removeprefix(_KEY_IS_IN)).read_text().strip()
    except TimeoutError:
        raise ServerFailed(f"the server did not start within {START_SECONDS} seconds:\n{_end_of(log)}") from None
    status = await process.wait()
    raise ServerFailed(f"the server ended with status {status}:\n{_end_of(log)}")


async def _pass_on(log: Path, notice: Callable[[str], None]) -> None:
    """Tell the server's warnings, such as that it is making the base image, until this is cancelled."""
    with log.open(encoding="utf-8", errors="replace") as file:
        while True:
            for line in file:
                if found := _WARNING.search(line):
                    notice(found["message"].strip())
            await asyncio.sleep(_LOOK_SECONDS)


async def check_usable(client: AsyncRunloop) -> None:
    """Call the server without the client's usual patience: a wrong address or key is to be told at once.

    Raises:
        APIError: It cannot be used.
    """
    async with client.with_options(max_retries=1) as impatient:
        await impatient.scenarios.list(limit=1)


async def _answering(client: AsyncRunloop) -> None:
    """Wait until the port that was announced answers."""
    async with client.with_options(max_retries=0, timeout=5) as impatient:
        for _ in range(int(START_SECONDS / _LOOK_SECONDS)):
            try:
                await impatient.get("/healthz", cast_to=object)
            except APIError:
                await asyncio.sleep(_LOOK_SECONDS)
            else:
                return
    raise ServerFailed("the server has started, but does not answer")


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            # What it still prints must not block it.
            await process.communicate()
    except TimeoutError:
        process.kill()
    if await process.wait() != 0:
        # It was ended in the middle of its start: what it had started for that ends too.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)


def _end_of(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _SHOWN_BYTES))
        return file.read().decode(errors="replace").strip()
