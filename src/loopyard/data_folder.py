"""Holds a data folder, so that one process at a time works on it."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


class StartFailed(Exception):
    """The server cannot start; the message says why and what to do."""


@contextmanager
def hold_data_folder(path: Path) -> Generator[None]:
    """Make the data folder, readable by its owner only, and hold it against a second server."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o700)
        descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartFailed(
            f"The data folder {path} cannot be used: {error.strerror}. Name another by --data-dir."
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StartFailed(
                f"Another server uses the data folder {path}. Stop it, or name another folder."
            ) from error
        yield
    finally:
        os.close(descriptor)
