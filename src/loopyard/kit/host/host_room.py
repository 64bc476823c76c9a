"""Refuses what would write much while the host's disk is nearly full."""

from pathlib import Path

from loopyard.kit.errors import StorageFull
from loopyard.kit.host.full_disk import LEAST_FREE_BYTES, has_room


class HostRoom:
    """The room on the disk of the data folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def check(self) -> None:
        """Make sure that something new may be begun.

        Raises:
            StorageFull: The disk has less than `LEAST_FREE_BYTES` free.
        """
        if not has_room(self._folder):
            raise StorageFull(
                f"The disk of the host has less than {LEAST_FREE_BYTES >> 20} MiB free, so nothing new is begun. "
                "Nothing was done. The same call works once its operator has made room."
            )
