"""Records of complete sandboxes, which outlive the server."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from loopyard.runtime.layout import Layout, read_json, write_whole
from loopyard.runtime.memory import memory_folder
from loopyard.runtime.protocol import User


@dataclass(frozen=True, slots=True)
class Box:
    """Record of a complete sandbox; the same is in its folder. `image_environment` and `workdir` are what its image
    says; None is the user's home."""

    user: User
    environment: Mapping[str, str]
    passwd: str
    closed: bool
    pids: int
    image_environment: Mapping[str, str] = field(default_factory=dict[str, str])
    workdir: str | None = None


class Boxes:
    """`server` is the server's name."""

    def __init__(self, layout: Layout, server: str) -> None:
        self._layout = layout
        self._server = server
        self._known: dict[str, Box] = {}

    def remember(self, sandbox_id: str, box: Box) -> None:
        """Write a record. Variables may be secrets: they lie in memory only."""
        kept = asdict(box)
        write_whole(self._variables(sandbox_id), kept.pop("environment"))
        write_whole(self._layout.bundle(sandbox_id) / "meta.json", kept)
        self._known[sandbox_id] = box

    def recall(self, sandbox_id: str) -> Box | None:
        """Record of a sandbox, also from an earlier server; None if it was only half made."""
        if sandbox_id not in self._known:
            meta: dict[str, Any] | None = read_json(self._layout.bundle(sandbox_id) / "meta.json")
            if meta is None:
                return None
            user = User(**meta.pop("user"))
            self._known[sandbox_id] = Box(user, read_json(self._variables(sandbox_id)) or {}, **meta)
        return self._known[sandbox_id]

    def forget(self, sandbox_id: str) -> None:
        self._known.pop(sandbox_id, None)
        self._variables(sandbox_id).unlink(missing_ok=True)

    def _variables(self, sandbox_id: str) -> Path:
        return memory_folder(f"{self._server}/variables") / f"{sandbox_id}.json"
