"""`loopyard bench run` as users start it, in a process of its own."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.commands import Running
from tests.serving import ServerProcess


@dataclass
class Ended:
    """A bench that has ended, with its report, its messages and its `--json` file."""

    status: int
    out: str
    err: str
    content: dict[str, Any]

    def result(self, scenario: str, agent: str) -> dict[str, Any]:
        [found] = [one for one in self.content["results"] if (one["scenario"], one["agent"]) == (scenario, agent)]
        return found


class Bench:
    """A bench under way, on the server, or without one on a server of its own over `data_dir`."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        server: ServerProcess | None = None,
        data_dir: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._json = folder.parent / f"{folder.name}.json"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RUNLOOP_")}
        environment |= {"LOOPYARD_DATA_DIR": str(folder.parent / "bench-data"), **(env or {})}
        if server is not None:
            environment |= {"RUNLOOP_BASE_URL": server.base_url, "RUNLOOP_API_KEY": server.api_key}
        command = ["bench", "run", str(folder), "--json", str(self._json), *arguments]
        if data_dir is not None:
            command += ["--data-dir", str(data_dir)]
        self._running = Running.start(*command, env=environment)
        self.process = self._running.process

    def wait(self, timeout: float = 600) -> Ended:
        done = self._running.end(timeout)
        content: dict[str, Any] = json.loads(self._json.read_text()) if self._json.exists() else {}
        return Ended(done.returncode, done.stdout, done.stderr, content)


def agents(names: Sequence[str]) -> list[str]:
    return [word for name in names for word in ("--agent", name)]
