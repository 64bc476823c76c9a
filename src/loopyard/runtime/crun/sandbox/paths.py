"""Where sandboxes are found on this host: under their own ids, or under the names that they were made ready with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loopyard.kit.ids import new_id
from loopyard.runtime.crun.host.instance import Instance
from loopyard.runtime.layout import Layout, read_json

_READY = "ready"


@dataclass(frozen=True, slots=True)
class SandboxPaths:
    """Paths and names of one sandbox on the host. `name` is what crun calls it."""

    name: str
    bundle: Path
    """Folder in which crun and the launcher keep it."""
    disk: Path
    baseline: Path
    cgroup: str
    state: Path
    """Folder in which crun keeps its state while it runs."""
    root: Path
    """Where its root file system is mounted while it starts."""


class PathResolver:
    """Of all sandboxes of one provider, also of those that were made by an earlier process."""

    def __init__(self, layout: Layout, instance: Instance) -> None:
        self._layout = layout
        self._instance = instance
        self._known: dict[str, SandboxPaths] = {}

    def of(self, sandbox_id: str) -> SandboxPaths:
        """A sandbox's, whether or not it is there yet. A ready one is asked for by its name."""
        if (known := self._known.get(sandbox_id)) is None:
            meta: dict[str, Any] = read_json(self.meta(sandbox_id)) or {}
            known = self._known[sandbox_id] = self._traces(meta.get("name", sandbox_id))
        return known

    def take_over(self, sandbox_id: str, name: str) -> None:
        """From now on the sandbox is the one that was made ready under this name. The caller writes that down."""
        self._known[sandbox_id] = self._traces(name)
        self._known.pop(name, None)

    def forget(self, sandbox_id: str) -> None:
        self._known.pop(sandbox_id, None)

    def meta(self, sandbox_id: str) -> Path:
        """Where it is written down what a sandbox is. Its folder is there as long as the sandbox."""
        return self._layout.bundle(sandbox_id) / "meta.json"

    def _traces(self, name: str) -> SandboxPaths:
        bundle = self._layout.ready(name) if is_ready_name(name) else self._layout.bundle(name)
        return SandboxPaths(
            name=name,
            bundle=bundle,
            disk=self._layout.disk(name),
            baseline=self._layout.baseline(name),
            cgroup=self._instance.cgroup(name),
            state=self._instance.state(name),
            root=self._instance.root(name),
        )


def new_ready_name() -> str:
    """A name for a sandbox that is made before anybody asks for one."""
    return new_id(_READY)


def is_ready_name(name: str) -> bool:
    """True if a name is of a ready sandbox."""
    return name.startswith(f"{_READY}_")
