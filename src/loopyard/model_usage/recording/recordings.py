"""Recorded calls of models, for whoever reads them."""

from pathlib import Path

_NAME = "recordings"


class Recordings:
    """The files of all devboxes, in the gateway's folder, which belongs to the server alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / _NAME

    def path(self, devbox_id: str) -> Path:
        """Where a devbox's calls are, or would be."""
        return self.folder / f"{devbox_id}.jsonl"

    def stored(self) -> dict[str, float]:
        """Devboxes that have recorded calls, and when the last one was recorded, in seconds since 1970."""
        return {file.stem: file.stat().st_mtime for file in self.folder.glob("*.jsonl")}

    def of_devbox(self, devbox_id: str) -> Path | None:
        """The file of a devbox's calls; None if none were recorded."""
        path = self.path(devbox_id)
        return path if path.is_file() else None
