"""The output of builds: a file of JSON lines for each, written as it comes."""

import json
import logging
from pathlib import Path
from typing import Any

from loopyard.kit.clock import now_ms
from loopyard.kit.ids import is_id

MOST_BYTES = 16 << 20
"""How much of a build's output is kept: 16 MiB. The build goes on; the rest is dropped, which the last line says."""

log = logging.getLogger("loopyard.blueprint")


class BuildLogs:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, blueprint_id: str, message: str, level: str = "info") -> None:
        """Add a line. A disk that is full does not end the build."""
        file = self._file(blueprint_id)
        message = message[:8192]
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            size = file.stat().st_size if file.exists() else 0
            if size > MOST_BYTES and level == "info":
                return
            entry = {"timestamp_ms": now_ms(), "level": level, "message": message}
            line = json.dumps(entry) + "\n"
            if size <= MOST_BYTES < size + len(line) and level == "info":
                line += json.dumps({**entry, "level": "warning", "message": "Further output is not kept."}) + "\n"
            with file.open("a") as opened:
                opened.write(line)
        except OSError as error:
            log.warning("the log of %s cannot be written: %s", blueprint_id, error)

    def read(self, blueprint_id: str) -> list[dict[str, Any]]:
        """All lines so far, oldest first."""
        try:
            lines = self._file(blueprint_id).read_text().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def ids(self) -> set[str]:
        """The blueprints that have one."""
        return {file.stem for file in self._folder.glob("*.jsonl")}

    def delete(self, blueprint_id: str) -> None:
        self._file(blueprint_id).unlink(missing_ok=True)

    def _file(self, blueprint_id: str) -> Path:
        if not is_id(blueprint_id, "bpt"):
            raise ValueError(f"{blueprint_id} is not the id of a blueprint")
        return self._folder / f"{blueprint_id}.jsonl"
