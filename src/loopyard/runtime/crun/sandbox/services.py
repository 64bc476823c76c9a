"""Services beside a sandbox, each on a root file system of its own, in the sandbox's network.

They are sandboxes too, with ids that start with the sandbox's, and are seen by nobody else. They come up and end with
it.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Protocol

from loopyard.runtime.crun.sandbox import image_config
from loopyard.runtime.crun.sandbox.store import SandboxRecord
from loopyard.runtime.errors import SandboxStartFailed
from loopyard.runtime.layout import Layout, subfolders
from loopyard.runtime.processes import is_alive
from loopyard.runtime.protocol import ROOT, CommandSpec, SandboxSpec, ServiceSpec

_BETWEEN = ".svc."
_COMMAND = "service"


class Start(Protocol):
    """Starts a sandbox whose network is that of another."""

    def __call__(self, spec: SandboxSpec, beside: SandboxRecord | None = None) -> Awaitable[SandboxRecord]: ...


class Remove(Protocol):
    """Takes a sandbox apart, if it is there."""

    def __call__(self, sandbox_id: str, *, keep_disk: bool) -> Awaitable[None]: ...


class Services:
    def __init__(
        self,
        layout: Layout,
        boxes: MutableMapping[str, SandboxRecord],
        start: Start,
        remove: Remove,
        begin: Callable[[str, CommandSpec], Awaitable[None]],
        forget: Callable[[str], Awaitable[None]],
    ) -> None:
        """`boxes` are all that run; `begin` starts a command, `forget` deletes all that is kept of a sandbox's."""
        self._boxes = boxes
        self._start = start
        self._remove = remove
        self._begin = begin
        self._forget = forget
        self._of: defaultdict[str, set[str]] = defaultdict(set)
        for sandbox_id in subfolders(layout.sandboxes):
            if is_service(sandbox_id):
                self._of[sandbox_id.partition(_BETWEEN)[0]].add(sandbox_id)

    async def bring_up(self, spec: SandboxSpec, main: SandboxRecord) -> None:
        """Start the services of a sandbox that runs; those that run already stay as they are.

        Raises:
            SandboxStartFailed, ImageNotFound, CommandStartFailed.
        """
        for service in spec.services:
            service_id = f"{spec.id}{_BETWEEN}{service.name}"
            self._of[spec.id].add(service_id)
            box = self._boxes.get(service_id)
            if box is None or not is_alive(box.pid, box.start_ticks):
                await self._remove(service_id, keep_disk=True)
                await self._forget(service_id)
                box = self._boxes[service_id] = await self._start(_spec(service_id, spec, service), main)
            await self._run(service_id, service, box)

    async def _run(self, service_id: str, service: ServiceSpec, box: SandboxRecord) -> None:
        config = image_config.read(box.image)
        argv = [*config.entrypoint, *config.command]
        if not argv:
            raise SandboxStartFailed(f"The image of service {service.name} does not say what is to be run.")
        spec = CommandSpec(id=_COMMAND, argv=argv, cwd=config.cwd or "/", user=config.user or ROOT)
        await self._begin(service_id, spec)

    def of(self, sandbox_id: str) -> list[str]:
        """The sandboxes of a sandbox's services, running or not."""
        return sorted(self._of.get(sandbox_id, ()))

    def gone(self, sandbox_id: str) -> None:
        """A sandbox's services are gone for good."""
        self._of.pop(sandbox_id, None)


def is_service(sandbox_id: str) -> bool:
    """True if a sandbox is a service."""
    return _BETWEEN in sandbox_id


def _spec(service_id: str, main: SandboxSpec, service: ServiceSpec) -> SandboxSpec:
    return SandboxSpec(
        id=service_id,
        image=service.image,
        limits=main.limits,
        user=ROOT,
        environment=service.environment,
        hostname=service.name,
    )
