"""Makes sandboxes, hands over those that were made ready, and takes them apart."""

import asyncio
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loopyard.kit.host.failpoint import failpoint
from loopyard.runtime.crun.egress.client import EgressClient
from loopyard.runtime.crun.egress.nft import RulesRefused
from loopyard.runtime.crun.host import requirements
from loopyard.runtime.crun.host.instance import Instance
from loopyard.runtime.crun.launcher.client import LauncherClient, LauncherFault
from loopyard.runtime.crun.launcher.requests import Create, Destroy, Reconfigure
from loopyard.runtime.crun.sandbox import bundle, oci
from loopyard.runtime.crun.sandbox.image_config import ImageConfig
from loopyard.runtime.crun.sandbox.paths import PathResolver, SandboxPaths, is_ready_name
from loopyard.runtime.crun.sandbox.roots import Roots
from loopyard.runtime.crun.sandbox.slot_pool import SlotPool
from loopyard.runtime.crun.sandbox.store import SandboxRecord, SandboxStore
from loopyard.runtime.errors import SandboxStartFailed, SandboxStuck
from loopyard.runtime.layout import Layout, write_whole
from loopyard.runtime.protocol import SandboxSpec

log = logging.getLogger("loopyard.runtime")

_REMOVALS = 3


async def teardown(launcher: LauncherClient, crun: Sequence[str], traces: SandboxPaths, *, keep_disk: bool) -> None:
    """Remove what there is of a sandbox.

    Raises:
        SandboxStuck: The host could not; the call can be repeated.
    """
    for _ in range(_REMOVALS):  # a launcher that is killed takes its work along
        fault = await launcher.attempt(
            Destroy(
                crun=list(crun),
                id=traces.name,
                bundle=str(traces.bundle),
                disk=str(traces.disk),
                baseline=str(traces.baseline),
                cgroup=traces.cgroup,
                keep_disk=keep_disk,
            )
        )
        if fault is None:
            return
        log.warning("sandbox %s could not be removed whole: %s", traces.name, fault)
    raise SandboxStuck(f"The host could not remove sandbox {traces.name}; its log says why.")


@dataclass(frozen=True, slots=True)
class Ground:
    """Layers below a step of a build: the file that tells the launcher of it, and the folder at the bottom."""

    file: Path
    root: Path


def _stand_on(traces: SandboxPaths, root: Path) -> None:
    """Write down what image a sandbox that is nobody's stands on, so that it is not freed."""
    bundle.write_over(traces.bundle / "meta.json", {"image": str(root)})


class SandboxFactory:
    """For one provider. Nobody may act on the same sandbox meanwhile. `init` is the program that is each one's first
    process, on the host."""

    def __init__(
        self,
        layout: Layout,
        instance: Instance,
        launcher: LauncherClient,
        slots: SlotPool,
        way_out: EgressClient,
        where: PathResolver,
        memory: SandboxStore,
        roots: Roots,
        crun: Sequence[str],
        init: Path,
    ) -> None:
        self._layout = layout
        self._instance = instance
        self._launcher = launcher
        self._slots = slots
        self._way_out = way_out
        self._where = where
        self._memory = memory
        self._roots = roots
        self._crun = list(crun)
        self._init = init

    async def make(
        self, spec: SandboxSpec, beside: SandboxRecord | None = None, step: Ground | None = None
    ) -> SandboxRecord:
        """Start a sandbox, on the disk that it has or on a new one; `beside` another, in the network of that one; or
        for a `step` of a build, on the ground of that.

        Raises:
            ImageNotFound, SnapshotNotFound: What it is to be made of is not on this host.
            SandboxStartFailed: The host could not start it; of a new one nothing is left.
        """
        traces = self._where.of(spec.id)
        resumed = traces.bundle.exists()
        root = self._root(spec, known=resumed or traces.name != spec.id) if step is None else step.root
        slot = await self._slots.take()
        box = self._box(spec, root, slot, step)
        try:
            traces.bundle.mkdir(parents=True, exist_ok=True)
            if is_ready_name(spec.id):
                _stand_on(traces, root)
            else:
                self._memory.write(spec.id, box)
            shared = None if beside is None else beside.slot
            accounts = self._roots.accounts(root) if step is None else None
            bundle.write(spec, accounts, box.cwd, self._instance, slot, self._init, traces, shared)
            await self._way_out.apply(slot, spec.network_policy)
            started = await self._launcher.ask(
                Create(
                    crun=self._crun,
                    id=traces.name,
                    bundle=str(traces.bundle),
                    root=str(traces.root),
                    image=str(root),
                    disk=str(traces.disk),
                    disk_bytes=spec.limits.disk_bytes if self._launcher.disk_limits else None,
                    snapshot=None if spec.snapshot is None else str(self._layout.snapshot_disk(spec.snapshot)),
                    network=None if beside is None else f"/proc/{beside.pid}/ns/net",
                    step=None if step is None else str(step.file),
                    slot=slot,
                )
            )
        except (LauncherFault, RulesRefused, OSError) as error:
            raise await self._failed(spec, slot, error, keep_disk=resumed) from error
        box.pid, box.start_ticks = started.pid, started.start_ticks
        return box

    async def reconfigure(
        self, ready: SandboxRecord, name: str, spec: SandboxSpec, step: Ground | None = None
    ) -> SandboxRecord | None:
        """Have the sandbox that was made ready under this name as if it had been made like what is asked for, but for
        what `assign` gives it. It is still nobody's: after a crash it is removed, and the other is made anew.

        Returns it, or None where that cannot be done to it; then nothing is left of it.

        Raises:
            ImageNotFound, SnapshotNotFound: What it is to be made of is not on this host; it stays as it was.
        """
        traces = self._where.of(name)
        box = self._box(spec, self.new_root_of(spec) if step is None else step.root, ready.slot, step)
        box.pid, box.start_ticks = ready.pid, ready.start_ticks
        try:
            _stand_on(traces, box.image)
            accounts = self._roots.accounts(box.image) if step is None else None
            place = bundle.place(spec, accounts, box.cwd, self._instance, box.slot)
            bundle.write_over(traces.bundle / "place.json", place)
            await asyncio.gather(self._ask_to_reconfigure(traces, box, spec, step), self._configure(traces, box, spec))
        except (LauncherFault, OSError) as fault:
            log.warning("%s could not be reconfigured: %s", name, fault)
            await self.drop(name, box)
            return None
        failpoint("sandbox.refitted")
        return box

    async def _ask_to_reconfigure(
        self, traces: SandboxPaths, box: SandboxRecord, spec: SandboxSpec, step: Ground | None
    ) -> None:
        await self._launcher.ask(
            Reconfigure(
                pid=box.pid,
                ticks=box.start_ticks,
                bundle=str(traces.bundle),
                image=str(box.image),
                disk=str(traces.disk),
                disk_bytes=spec.limits.disk_bytes if self._launcher.disk_limits else None,
                snapshot=None if spec.snapshot is None else str(self._layout.snapshot_disk(spec.snapshot)),
                step=None if step is None else str(step.file),
                uid_base=box.uid_base,
                cgroup=traces.cgroup,
                resources=oci.resources(spec.limits, limit_swap=requirements.can_limit_swap()),
                shared_memory_bytes=oci.shared_memory_bytes(spec.limits.memory_bytes),
                hostname=spec.hostname,
            )
        )

    async def _configure(self, traces: SandboxPaths, box: SandboxRecord, spec: SandboxSpec) -> None:
        """Write down what it is from now on, for who looks at it later."""
        configuration = bundle.configuration(spec, self._instance, box.slot, self._init, traces)
        write_whole(traces.bundle / "config.json", configuration)

    async def drop(self, name: str, box: SandboxRecord) -> None:
        """Take a sandbox apart that was made ready under this name, and that nobody got."""
        try:
            await self.remove(name, keep_disk=False)
        except SandboxStuck as fault:
            log.warning("%s stays until the next start: %s", name, fault)
        else:
            await self.give_back(box.slot)

    async def assign(
        self, ready: SandboxRecord, name: str, spec: SandboxSpec, step: Ground | None = None
    ) -> SandboxRecord:
        """Make the sandbox that was made ready under this name the one that is asked for, which is like it.

        Raises:
            SandboxStartFailed: The host refused its network rules; nothing of it is left.
        """
        box = self._box(spec, ready.image, ready.slot, step)
        box.pid, box.start_ticks = ready.pid, ready.start_ticks
        self._where.take_over(spec.id, name)
        try:
            self._layout.bundle(spec.id).mkdir(parents=True, exist_ok=True)
            self._memory.write(spec.id, box)
            failpoint("sandbox.taken")
            if spec.network_policy is not None:
                await self._way_out.apply(box.slot, spec.network_policy)
        except (RulesRefused, OSError) as error:
            raise await self._failed(spec, box.slot, error, keep_disk=False) from error
        return box

    async def _failed(self, spec: SandboxSpec, slot: int, error: Exception, *, keep_disk: bool) -> SandboxStartFailed:
        """Leave nothing of a sandbox that could not be started."""
        failure = SandboxStartFailed(f"The host could not start the sandbox: {error}")
        try:
            await self.remove(spec.id, keep_disk=keep_disk)
        except SandboxStuck:
            return failure  # its slot stays out of use until the next start
        await self.give_back(slot)
        return failure

    async def remove(self, sandbox_id: str, *, keep_disk: bool) -> None:
        """Take a sandbox apart, as far as it is there.

        Raises:
            SandboxStuck: The host could not; the call can be repeated.
        """
        if keep_disk and not self._layout.bundle(sandbox_id).exists():
            return
        traces = self._where.of(sandbox_id)
        await teardown(self._launcher, self._crun, traces, keep_disk=keep_disk)
        self._memory.forget_variables(sandbox_id)
        if not keep_disk:
            if is_ready_name(traces.name) and sandbox_id != traces.name:
                shutil.rmtree(self._layout.bundle(sandbox_id), ignore_errors=True)
            self._where.forget(sandbox_id)

    async def give_back(self, slot: int) -> None:
        """Free the slot of a sandbox in which nothing runs any more; the next one finds none of its rules."""
        try:
            await self._way_out.apply(slot, None)
        except RulesRefused:
            log.exception("slot %d stays out of use until the next start", slot)
            return
        self._slots.give_back(slot)

    def _box(self, spec: SandboxSpec, root: Path, slot: int, step: Ground | None = None) -> SandboxRecord:
        uid_base = self._instance.uid_base(slot)
        config = self._roots.config(root) if step is None else ImageConfig()
        environment = {**config.environment, **spec.environment}
        user = config.user if config.user is not None and config.user.is_like(spec.user) else spec.user
        return SandboxRecord(root, slot, uid_base, user, environment, config.cwd, spec.network_policy)

    def _root(self, spec: SandboxSpec, *, known: bool) -> Path:
        """The image below a sandbox. One that is started again keeps its own, whatever has become of its snapshot."""
        kept = self._memory.image_of(spec.id) if known else None
        return kept or self.new_root_of(spec)

    def new_root_of(self, spec: SandboxSpec) -> Path:
        """The image below a sandbox that is not there yet.

        Raises:
            ImageNotFound, SnapshotNotFound.
        """
        return self._roots.of_image(spec.image) if spec.snapshot is None else self._roots.of_snapshot(spec.snapshot)
