"""Records of sandboxes, from which the next server reattaches to them: on the disk, all but their variables.

Variables may hold secrets. They are kept in memory, as long as the sandbox runs.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from loopyard.runtime.crun.sandbox.groups import KnownGroups
from loopyard.runtime.crun.sandbox.paths import PathResolver
from loopyard.runtime.layout import read_json, write_whole
from loopyard.runtime.memory import memory_folder
from loopyard.runtime.protocol import NetworkPolicy, User

_POLICY = TypeAdapter[NetworkPolicy | None](NetworkPolicy | None)


@dataclass(slots=True)
class SandboxRecord:
    """A sandbox. `image` is the folder below it; `pid` and `start_ticks` name its first process, once it runs."""

    image: Path
    slot: int
    uid_base: int
    user: User
    environment: Mapping[str, str]
    cwd: str | None
    network_policy: NetworkPolicy | None
    pid: int = 0
    start_ticks: int = 0
    groups: KnownGroups | None = None
    """Groups of the user in there, as they were read last."""


class SandboxStore:
    """Reads and writes it. `block` is the server's own."""

    def __init__(self, where: PathResolver, block: int) -> None:
        self._where = where
        self.folder = memory_folder(str(block))
        self._variables = memory_folder(f"{block}/variables")

    def write(self, sandbox_id: str, box: SandboxRecord) -> None:
        """Remember a sandbox that is about to be started, or to be given to who asked for one, in its folder."""
        write_whole(self._variables_of(sandbox_id), dict(box.environment))
        self.write_description(sandbox_id, box)

    def write_description(self, sandbox_id: str, box: SandboxRecord) -> None:
        """Remember all but the variables, such as another network policy."""
        meta = {
            "name": self._where.of(sandbox_id).name,
            "image": str(box.image),
            "slot": box.slot,
            "uid_base": box.uid_base,
            "user": asdict(box.user),
            "cwd": box.cwd,
            "network_policy": _POLICY.dump_python(box.network_policy, mode="json"),
        }
        write_whole(self._where.meta(sandbox_id), meta)

    def image_of(self, sandbox_id: str) -> Path | None:
        """The image of a sandbox, running or not; None if nothing is known of it."""
        meta = read_json(self._where.meta(sandbox_id))
        return None if meta is None else Path(meta["image"])

    def recall(self, sandbox_id: str) -> SandboxRecord | None:
        """A sandbox that was started; None if it was only half made."""
        meta: dict[str, Any] | None = read_json(self._where.meta(sandbox_id))
        state = read_json(self._where.of(sandbox_id).bundle / "state.json")
        if meta is None or state is None:
            return None
        return SandboxRecord(
            image=Path(meta["image"]),
            slot=meta["slot"],
            uid_base=meta["uid_base"],
            user=User(**meta["user"]),
            environment=read_json(self._variables_of(sandbox_id)) or {},
            cwd=meta.get("cwd"),
            network_policy=_POLICY.validate_python(meta.get("network_policy")),
            **state,
        )

    def known(self) -> list[str]:
        """The sandboxes whose variables are kept."""
        return [file.stem for file in self._variables.glob("*.json")]

    def forget_variables(self, sandbox_id: str) -> None:
        """Delete the variables of a sandbox that does not run any more."""
        self._variables_of(sandbox_id).unlink(missing_ok=True)

    def _variables_of(self, sandbox_id: str) -> Path:
        return self._variables / f"{sandbox_id}.json"
