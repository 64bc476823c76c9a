"""A throw-away PostgreSQL server: a cluster in a temporary folder, on a free port of the loopback address."""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.suite.spent import spent

_INSTALLED_UNDER = Path("/usr/lib/postgresql")
_ROLE = "loopyard"
_START_SECONDS = 60

_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
"""For tests: nothing there outlives the machine's power."""


@dataclass(frozen=True)
class PostgresCluster:
    """A running cluster."""

    binaries: Path
    port: int
    password: str

    @property
    def version(self) -> str:
        return _output(self.binaries / "postgres", "--version").split()[2]

    def url(self, database: str) -> str:
        """The URL of one of its databases, with the password in it."""
        return f"postgresql://{_ROLE}:{self.password}@127.0.0.1:{self.port}/{database}"

    def new_database(self, template: str = "template1") -> str:
        """Make a database like the template, which is empty by default, and return its URL."""
        name = f"test_{secrets.token_hex(8)}"
        with spent("databases"):
            self.run_sql("postgres", f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def run_sql(self, database: str, sql: str) -> str:
        """Run statements as psql does, each in a transaction of its own; returns bare rows.

        Raises:
            subprocess.CalledProcessError: A statement failed.
        """
        psql = (self.binaries / "psql", "-v", "ON_ERROR_STOP=1", "-qAtX", "-d", self.url(database), "-c", sql)
        return _output(*psql)


def find_binaries() -> Path:
    """The folder with `initdb`, `postgres` and `psql`: the newest version installed.

    Raises:
        FileNotFoundError: There is none; the message says how to get it.
    """
    found = [path.parent for path in _INSTALLED_UNDER.glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda path: int(path.parent.name))
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    raise FileNotFoundError("PostgreSQL is not installed: apt-get install postgresql")


@contextmanager
def postgres_cluster(settings: Sequence[str] = _FAST) -> Generator[PostgresCluster]:
    """Start a cluster with these settings (`name=value`; none for the ones PostgreSQL comes with), and remove it at
    the end. It goes down with this process, however this ends.

    PostgreSQL refuses to run as root; then it runs as the user `postgres` that the package made, else as nobody.

    Raises:
        FileNotFoundError: PostgreSQL is not installed.
        RuntimeError: It did not start; the message holds its log.
    """
    binaries = find_binaries()
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="loopyard-postgres-"))
    try:
        os.chown(folder, account.pw_uid, account.pw_gid)
        cluster = PostgresCluster(binaries, _free_port(), secrets.token_urlsafe(16))
        with spent("databases"):
            _make(folder, cluster, account)
        with _running(folder, cluster, account, settings):
            yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make(folder: Path, cluster: PostgresCluster, account: pwd.struct_passwd) -> None:
    password_file = folder / "password"
    password_file.write_text(cluster.password)
    os.chown(password_file, account.pw_uid, account.pw_gid)
    initdb = (cluster.binaries / "initdb", "-D", folder / "data", "-U", _ROLE, "--pwfile", password_file)
    _output(*_as(account), *initdb, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync", cwd=folder)


@contextmanager
def _running(
    folder: Path, cluster: PostgresCluster, account: pwd.struct_passwd, settings: Sequence[str]
) -> Generator[None]:
    given = (f"port={cluster.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", *settings)
    options = [part for setting in given for part in ("-c", setting)]
    command = (*_as(account), "--pdeathsig", "INT", cluster.binaries / "postgres", "-D", folder / "data", *options)
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=folder)
    try:
        with spent("databases"):
            _wait_ready(process, cluster, log)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def _wait_ready(process: subprocess.Popen[bytes], cluster: PostgresCluster, log: Path) -> None:
    ready = (cluster.binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(cluster.port))
    deadline = time.monotonic() + _START_SECONDS
    while subprocess.run(ready, check=False).returncode != 0:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.05)


def _account() -> pwd.struct_passwd:
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _as(account: pwd.struct_passwd) -> tuple[str, ...]:
    """The start of a command line that runs the rest as this user."""
    if account.pw_uid == os.geteuid():
        return ("setpriv",)
    return ("setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _output(*command: str | Path, cwd: Path | None = None) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=cwd).stdout
