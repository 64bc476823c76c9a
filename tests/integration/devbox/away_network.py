"""A network behind a router, as hosts of the internet are, for servers that devboxes and builds reach."""

import os
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress

_WAIT_SECONDS = 20


@contextmanager
def away_network() -> Generator[tuple[str, str]]:
    """A network namespace behind a router, as hosts of the internet are: its name, and the address in it that devboxes
    reach."""
    name, block = f"lygit{os.getpid()}", os.getpid() % 63 * 4
    ours, theirs = f"198.51.100.{block + 1}", f"198.51.100.{block + 2}"
    away = f"203.0.113.{block + 2}"  # behind a router, since the networks next to the host are closed to devboxes
    link = f"lg{os.getpid()}"
    _ip("netns", "add", name)
    try:
        _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("address", "add", f"{ours}/30", "dev", link)
        _ip("link", "set", link, "up")
        _ip("route", "add", f"{away}/32", "via", theirs)
        for arguments in (
            ("address", "add", f"{theirs}/30", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("link", "set", "lo", "up"),
            ("address", "add", f"{away}/32", "dev", "lo"),
            ("route", "add", "default", "via", ours),
        ):
            _ip("-n", name, *arguments)
        yield name, away
    finally:
        with suppress(subprocess.CalledProcessError):
            _ip("link", "delete", link)
        _ip("netns", "delete", name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def wait_until_listening(address: str, port: int) -> None:
    """Wait for a server that was just started."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            socket.create_connection((address, port), 1).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return
