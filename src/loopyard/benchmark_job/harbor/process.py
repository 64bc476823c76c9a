"""Harbor's process. It outlives the server, and a server that is started again finds it by the lock that it holds."""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

LOCK, GROUP, STATUS, LOG = "lock", "group", "status", "output.log"
_LOCKED = 97
_SHOWN_BYTES = 4000
_KILL_SECONDS = 30
_LOOK_SECONDS = 0.1
_WRAPPER = 'echo "$PPID" > group.new && mv group.new group; "$@"; echo $? > status.new && mv status.new status'
"""`flock` is the leader of the group, and this shell its child. The status is there once Harbor has ended by itself."""

_KEPT = ("PATH", "HOME", "USER", "LANG", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_KEPT_KINDS = ("UV_", "PIP_", "LC_", "XDG_", "CURL_")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


class HarborProcess:
    """The process of one job, in the job's own folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: subprocess.Popen[bytes] | None = None

    def start(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        """Start it, unless it runs. Its environment is the server's own as far as programs need one, and the
        variables."""
        for name in (STATUS, GROUP):
            (self._folder / name).unlink(missing_ok=True)
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in _KEPT or name.startswith(_KEPT_KINDS) or name.lower() in _PROXIES
        }
        flock = ["flock", "--nonblock", "--conflict-exit-code", str(_LOCKED), LOCK]
        with (self._folder / LOG).open("ab") as log:
            self._started = subprocess.Popen(
                [*flock, "sh", "-c", _WRAPPER, "sh", *command],
                cwd=self._folder,
                env={**kept, **variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """True if the process runs, whichever server started it."""
        if self._started is not None and self._started.poll() is None:
            return True
        try:
            descriptor = os.open(self._folder / LOCK, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    @property
    def status(self) -> int | None:
        """Its exit status, once it has ended by itself."""
        try:
            return int((self._folder / STATUS).read_text())
        except (FileNotFoundError, ValueError):
            return None

    def stop(self) -> None:
        """End it: politely first, so that it shuts its devboxes down. Blocks half a minute at most."""
        for number in (signal.SIGINT, signal.SIGKILL):
            self._send(number)
            deadline = time.monotonic() + _KILL_SECONDS
            while self.alive and time.monotonic() < deadline:
                time.sleep(_LOOK_SECONDS)
            if not self.alive:
                return

    def _send(self, number: signal.Signals) -> None:
        with suppress(FileNotFoundError, ValueError, ProcessLookupError):
            if self.alive:
                os.killpg(int((self._folder / GROUP).read_text()), number)

    @property
    def last_words(self) -> str:
        """The end of what it has printed."""
        try:
            with (self._folder / LOG).open("rb") as log:
                log.seek(max(0, os.fstat(log.fileno()).st_size - _SHOWN_BYTES))
                return log.read().decode(errors="replace").strip()
        except FileNotFoundError:
            return ""
