"""The layers of the suite, by folder: unit, integration and slow; and the serial tests among them.

unit: in process, on a fake runtime. No root, no network, no database server.
integration: real sandboxes, databases, clients.
slow: crash matrices, hostile loads, builds, whole benchmarks.
serial: tests in a folder of this name, in any layer, need a machine of their own (timing, full disks, cgroup
hierarchies). They run last, one after another.
"""

from collections.abc import Iterable
from pathlib import PurePosixPath

import pytest

LAYERS = ("unit", "integration", "slow")
SERIAL = "serial"


def folders_of(test: str) -> tuple[str, ...]:
    """The folders above a test, by its node id."""
    return PurePosixPath(test.partition("::")[0]).parts[:-1]


def is_serial(test: str) -> bool:
    """Whether a test needs a machine of its own, by its node id."""
    return SERIAL in folders_of(test)


def mark(items: Iterable[pytest.Item]) -> None:
    """Give each test the marker of its layer, and of the serial tests, so that `-m` selects them."""
    for item in items:
        folders = folders_of(item.nodeid)
        for name in (*LAYERS, SERIAL):
            if name in folders:
                item.add_marker(name)
