"""Large files on their way to the disk."""

import os
import subprocess
from pathlib import Path

from loopyard.runtime.crun.host.write_back import WriteBack

PIECE = bytes(range(256)) * 4096
PIECES = 160


def _in_memory(path: Path) -> int:
    """How many bytes of a file the kernel holds in memory."""
    return int(subprocess.check_output(["fincore", "--bytes", "--noheadings", "--output", "RES", path]))


def test_memory_is_let_go_of_what_is_on_the_disk(tmp_path: Path) -> None:
    file = os.open(tmp_path / "large", os.O_WRONLY | os.O_CREAT)
    draining = WriteBack(file)
    for _ in range(PIECES):
        os.write(file, PIECE)
        os.fdatasync(file)  # as a disk would that is quick
        draining.wrote(len(PIECE))
    os.close(file)
    size = PIECES * len(PIECE)
    assert _in_memory(tmp_path / "large") <= size - (64 << 20)
    with (tmp_path / "large").open("rb") as written:
        assert all(written.read(len(PIECE)) == PIECE for _ in range(PIECES))
        assert not written.read(1)


def test_what_cannot_be_drained_is_written_all_the_same(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    draining = WriteBack(writer)
    draining.wrote(200 << 20)
    os.close(reader)
    os.close(writer)
