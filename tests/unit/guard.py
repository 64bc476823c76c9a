"""An audit hook that notices when a unit test leaves its process: other programs, sockets, files that stay."""

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

_ROOT = Path(__file__).parents[2]
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_PROGRAMS = ("subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.exec", "os.system", "pty.spawn")
_SOCKETS = ("socket.connect", "socket.bind", "socket.sendto")
_NAMES = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
_ONE_PATH = ("os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.chown", "os.truncate", "sqlite3.connect")
_TWO_PATHS = ("os.rename", "os.link", "os.symlink")


def _places() -> tuple[str, ...]:
    """Where a unit test may write: what is temporary, in memory, or kept by the programs that run the tests."""
    own = [_ROOT / ".hypothesis", _ROOT / ".pytest_cache", _ROOT / ".loopyard"]
    return tuple(os.path.realpath(place) for place in (tempfile.gettempdir(), "/dev/shm", "/dev/null", *own))


class Forbidden(Exception):
    """A unit test was about to leave its process."""


class Guard:
    """The hook. Python has no way to take one out again, so it is put in once, and off between tests."""

    def __init__(self) -> None:
        self._faults: list[str] | None = None
        self._places = _places()
        self._checks: dict[str, Callable[[str, tuple[Any, ...]], str | None]] = {
            "open": self._open,
            **dict.fromkeys(_PROGRAMS, _program),
            **dict.fromkeys(_SOCKETS, _socket),
            **dict.fromkeys(_NAMES, _name),
            **dict.fromkeys(_ONE_PATH, self._one_path),
            **dict.fromkeys(_TWO_PATHS, self._two_paths),
        }
        platform.platform()  # the official client asks it, and the first time that starts a program
        sys.addaudithook(self._hear)

    @contextmanager
    def watching(self) -> Generator[list[str]]:
        """Refuse what a unit test must not do, and collect it: code under test may swallow the refusal."""
        self._faults = faults = []
        try:
            yield faults
        finally:
            self._faults = None

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        faults = self._faults
        if faults is None or (check := self._checks.get(event)) is None:
            return
        if (fault := check(event, arguments)) is not None:
            faults.append(fault)
            raise Forbidden(fault)

    def _open(self, _: str, arguments: tuple[Any, ...]) -> str | None:
        path, _mode, flags = arguments
        return self._outside("write to", path) if flags & _WRITING else None

    def _one_path(self, event: str, arguments: tuple[Any, ...]) -> str | None:
        return None if _is_below(arguments[-1]) else self._outside(event, arguments[0])

    def _two_paths(self, event: str, arguments: tuple[Any, ...]) -> str | None:
        return None if _is_below(arguments[-1]) else self._outside(event, arguments[1])

    def _outside(self, act: str, path: object) -> str | None:
        if not isinstance(path, str | bytes | os.PathLike):
            return None  # a descriptor: it was opened before
        given = os.fsdecode(cast("str", path))
        real = os.path.realpath(given)
        if given == ":memory:" or "__pycache__" in real or real.endswith(".pyc"):
            return None
        allowed = any(real == place or real.startswith(f"{place}/") for place in self._places)
        return None if allowed else f"{act} {given}"


def _is_below(folder: object) -> bool:
    """Whether a path is that of a folder which was opened before."""
    return isinstance(folder, int) and folder >= 0


def _program(event: str, arguments: tuple[Any, ...]) -> str:
    return f"start a program ({event} {arguments[0] if arguments else ''})"


def _socket(event: str, arguments: tuple[Any, ...]) -> str | None:
    address = arguments[1]
    return None if isinstance(address, str | bytes) else f"{event} {address}"  # a path is a socket of this host's


def _name(event: str, arguments: tuple[Any, ...]) -> str:
    return f"{event} {arguments[0]}"


guard = Guard()
