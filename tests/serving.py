"""Real servers as processes of their own, for tests that use them, kill them and start them again."""

import os
import signal
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from runloop_api_client import AsyncRunloop, Runloop

from tests import commands
from tests.stores import put_empty_store
from tests.suite.spent import spent

START_SECONDS = 300
"""A first start may build the base image."""


class ServerProcess:
    """A `loopyard serve` on a free port of the loopback address, over a data folder that outlives it."""

    def __init__(self, data_dir: Path, *, database_url: str | None = None) -> None:
        self.data_dir = data_dir
        self.database_url = database_url
        self.before: list[str] = []
        """What the command starts with: a program that puts the server into another place, such as a network."""
        self.options: list[str] = []
        """More options of `loopyard serve`."""
        self.premade = True
        """At its first start it finds a store that is empty and up to date; with False it has to make one."""
        self.base_url = ""
        self.port = 0
        """0 takes a free port at each start; set it to come back where clients expect the server."""
        self.printed: list[str] = []
        self._process: commands.Command | None = None

    @property
    def api_key(self) -> str:
        return (self.data_dir / "api-key").read_text().strip()

    @property
    def log(self) -> str:
        """All that the server has logged, through every start."""
        return (self.data_dir.parent / f"{self.data_dir.name}.log").read_text(errors="replace")

    def client(self, **options: object) -> Runloop:
        """The official client, pointed here."""
        return Runloop(bearer_token=self.api_key, base_url=self.base_url, **options)  # type: ignore[arg-type]

    def async_client(self, **options: object) -> AsyncRunloop:
        """The official asynchronous client, pointed here."""
        return AsyncRunloop(bearer_token=self.api_key, base_url=self.base_url, **options)  # type: ignore[arg-type]

    def start(self, env: Mapping[str, str | None] | None = None) -> "ServerProcess":
        """Start it and wait until it answers. Variables of `env` go before this process's own; None takes one away.

        Raises:
            RuntimeError: It ended instead; the message holds the end of its log.
        """
        with spent("server starts"):
            return self._start(env)

    def _start(self, env: Mapping[str, str | None] | None) -> "ServerProcess":
        arguments = ["serve", "--port", str(self.port), "--data-dir", str(self.data_dir), *self.options]
        if self.database_url is not None:
            arguments += ["--database-url", self.database_url]
        elif self.premade and not self.data_dir.exists():
            put_empty_store(self.data_dir / "loopyard.db")
        given = {**os.environ, **(env or {})}
        variables = {name: value for name, value in given.items() if value is not None}
        with (self.data_dir.parent / f"{self.data_dir.name}.log").open("ab") as log:
            self._process = commands.start(arguments, log, env=variables, before=self.before)
        watchdog = threading.Timer(START_SECONDS, self._process.kill)
        watchdog.start()
        self.printed = []
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.printed.append(line.rstrip())
            if line.startswith("Loopyard listens on "):
                self.base_url = line.split()[-1]
                # What follows is printed in the same breath.
                self.printed.append(self._process.stdout.readline().rstrip())
                if self.printed[-1].startswith("export "):
                    self.printed.append(self._process.stdout.readline().rstrip())
                watchdog.cancel()
                return self
        watchdog.cancel()
        raise RuntimeError(f"the server ended with {self._process.wait()}:\n{self.log[-4000:]}")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        return self._end(signal.SIGTERM)

    def wait_dead(self, timeout: float = 60) -> int:
        """Wait until it has ended by itself (at a failpoint)."""
        assert self._process is not None
        status = self._process.wait(timeout)
        self._close()
        return status

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        with spent("server ends"):
            self._process.send_signal(number)
            return self.wait_dead()

    def _close(self) -> None:
        assert self._process is not None
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None


@contextmanager
def serving(
    data_dir: Path,
    *,
    database_url: str | None = None,
    options: Sequence[str] = (),
    before: Sequence[str] = (),
    env: Mapping[str, str | None] | None = None,
    premade: bool = True,
) -> Generator[ServerProcess]:
    """A started server; at the end its devboxes are shut down, it is stopped, and nothing of it is left running."""
    server = ServerProcess(data_dir, database_url=database_url)
    server.premade = premade
    server.options += options
    server.before += before
    server.start(env)
    try:
        yield server
    finally:
        if not server.alive:
            server.start()
        client = server.client()
        for devbox in client.devboxes.list(limit=5000):
            if devbox.status not in ("shutdown", "failure"):
                client.devboxes.shutdown(devbox.id)
        server.stop()
