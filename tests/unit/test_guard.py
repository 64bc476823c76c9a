"""The guard of the unit layer notices what it should."""

import contextlib
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.unit.guard import Forbidden, guard

_HERE = Path(__file__).parent


def _connect() -> None:
    with socket.socket() as one:
        one.connect(("127.0.0.1", 9))


def _listen() -> None:
    socket.create_server(("127.0.0.1", 0)).close()


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (_connect, "socket.connect"),
        (_listen, "socket.bind"),
        (lambda: socket.getaddrinfo("example.com", 80), "socket.getaddrinfo example.com"),
        (lambda: subprocess.run([sys.executable, "-c", ""], check=True), "start a program"),
        (os.fork, "start a program (os.fork"),
        (lambda: (_HERE / "left-behind").write_text("x"), "write to"),
        ((_HERE / "left-behind").mkdir, "os.mkdir"),
        (lambda: (_HERE / "test_guard.py").rename(_HERE / "left-behind"), "os.rename"),
        (partial(sqlite3.connect, _HERE / "left-behind.db"), "sqlite3.connect"),
    ],
    ids=["connect", "listen", "resolve", "program", "fork", "file", "folder", "rename", "database"],
)
def test_what_leaves_the_process_is_refused_and_told(act: Callable[[], object], told: str) -> None:
    with guard.watching() as faults:
        with pytest.raises((Forbidden, OSError)):
            act()
        assert [fault for fault in faults if fault.startswith(told)], faults


def test_what_stays_in_it_is_let_be(tmp_path: Path) -> None:
    with guard.watching() as faults:
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder/file").write_text("x")
        (tmp_path / "folder/file").rename(tmp_path / "other")
        sqlite3.connect(tmp_path / "one.db").close()
        for end in socket.socketpair():
            end.close()
        assert (_HERE / "guard.py").read_text()
        assert faults == []


def test_what_the_code_under_test_swallows_is_told_all_the_same() -> None:
    with guard.watching() as faults:
        with contextlib.suppress(Forbidden):
            _connect()
        assert faults == ["socket.connect ('127.0.0.1', 9)"]
