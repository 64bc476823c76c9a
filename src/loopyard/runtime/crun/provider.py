"""The runtime protocol, carried out by crun on this host."""

import asyncio
import logging
import socket
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from loopyard.runtime.commands.answers import CommandAnswers
from loopyard.runtime.crun.building.buildah import Storage
from loopyard.runtime.crun.building.builder import CrunImageBuilder
from loopyard.runtime.crun.building.keeping import ImagesKeeper
from loopyard.runtime.crun.building.means import Means, Place
from loopyard.runtime.crun.egress.table import GATEWAY
from loopyard.runtime.crun.exec.attachment import attach
from loopyard.runtime.crun.exec.operations import SandboxOperations
from loopyard.runtime.crun.host import requirements
from loopyard.runtime.crun.launcher.client import LauncherFault
from loopyard.runtime.crun.launcher.requests import DeleteDisk, Snapshot
from loopyard.runtime.crun.parts import CrunParts
from loopyard.runtime.crun.sandbox import oci
from loopyard.runtime.crun.sandbox.accounts import Account
from loopyard.runtime.crun.sandbox.factory import Ground
from loopyard.runtime.crun.sandbox.grading_isolation import STOPPED, CrunGradingIsolation
from loopyard.runtime.crun.sandbox.leftovers import BoxesKeeper
from loopyard.runtime.crun.sandbox.services import Services, is_service
from loopyard.runtime.crun.sandbox.store import SandboxRecord
from loopyard.runtime.crun.sandbox.usage import usage
from loopyard.runtime.errors import (
    RuntimeFault,
    SandboxNotFound,
    SandboxNotRunning,
    SandboxStartFailed,
    SnapshotFailed,
)
from loopyard.runtime.folder_changes import FolderChanges
from loopyard.runtime.host_gateway import GatewayAddress
from loopyard.runtime.layout import subfolders, write_whole
from loopyard.runtime.processes import is_alive, wait_end
from loopyard.runtime.protocol import (
    Attached,
    Features,
    NetworkPolicy,
    SandboxSpec,
    SandboxState,
    SandboxStatus,
    SandboxUsage,
)
from loopyard.runtime.refusals import Refused
from loopyard.runtime.upkeep import Keeper

log = logging.getLogger("loopyard.runtime")


class CrunRuntime:
    """Sandboxes by crun. See the protocol for what each method does and raises."""

    name = "crun"

    def __init__(self, parts: CrunParts, resources: AsyncExitStack) -> None:
        """`resources` is what is to be closed in the end."""
        self._resources = resources
        self._acts: dict[str, asyncio.Lock] = {}
        self._layout, self._images, self._ca_bundle = parts.layout, parts.images, parts.ca_bundle
        self._crun, self._instance, self._launcher = parts.crun, parts.instance, parts.launcher
        self._pool, self._roots, self._slots, self._way_out = parts.pool, parts.roots, parts.slots, parts.way_out
        self._where, self._memory, self._boxes = parts.where, parts.memory, parts.boxes
        self._commands, self._making, self._ready = parts.commands, parts.making, parts.ready
        self._gateway, self._refusals = parts.gateway, parts.refusals

        operations, answers = SandboxOperations(parts), CommandAnswers(parts.commands)
        self._running, self._viewpoint = operations.running, operations.viewpoint
        self.start_command = operations.start_command
        self.attach_command = operations.attach_command
        self.connect = operations.connect
        self.listen = operations.listen
        self.read_file = operations.read_file
        self.write_file = operations.write_file
        self.wait_command = answers.wait_command
        self.commands = answers.commands
        self.read_output = answers.read_output
        self.output_size = answers.output_size
        self.is_truncated = answers.is_truncated
        self.wait_output = answers.wait_output
        self.write_stdin = answers.write_stdin
        self.signal_command = answers.signal_command

        self.sandbox_at = parts.refusals.sandbox_at
        self.gateway_address: GatewayAddress = GATEWAY
        self._services = Services(
            self._layout, self._boxes, self._making.make, self._making.remove, self.start_command, self.forget
        )
        self.image_builder = CrunImageBuilder(self, self._means, self._place, self._layout, self._images)
        self.grading_isolation = CrunGradingIsolation(
            self._launcher, self._layout, self._crun, self._running, self._where, parts.shared, self._commands.pid
        )
        boxes = BoxesKeeper(
            self._layout, self._instance, self._memory, self._pool.boxes, self._remove_left, self._acting
        )
        self.keepers: Sequence[Keeper] = [boxes, parts.shared, ImagesKeeper(Storage(self._images))]

    @property
    def features(self) -> Features:
        return Features(
            disk_limits=self._launcher.disk_limits,
            user_namespaces=True,
            metadata_closed=True,
            network_rules=True,
            snapshot_xattrs=True,
        )

    async def folder_changes(self, sandbox_id: str, path: str) -> FolderChanges | None:
        """See `ComparesFolders`."""
        return await self.grading_isolation.folder_changes(sandbox_id, self._memory.image_of(sandbox_id), path)

    def _means(self) -> Means:
        return Means(self._memory.folder / "builds", self._ca_bundle)

    def _place(self, sandbox_id: str) -> Place:
        box = self._running(sandbox_id)
        host_address, _ = self._instance.addresses(box.slot)
        return Place(box.pid, box.uid_base, self._where.of(sandbox_id).cgroup, host_address)

    def gateway_socket(self) -> socket.socket:
        """See `HasHostGateway`."""
        return self._gateway.dup()

    @property
    def refused(self) -> Refused:
        """See `TellsRefusals`."""
        return self._refusals.refused

    @refused.setter
    def refused(self, tell: Refused) -> None:
        self._refusals.refused = tell

    def keep_ready(self, like: SandboxSpec) -> None:
        """See `KeepsReady`."""
        self._ready.keep(like)

    @property
    def ready_count(self) -> int:
        """See `KeepsReady`."""
        return self._ready.count

    async def close(self) -> None:
        await self._resources.aclose()

    async def create(self, spec: SandboxSpec) -> None:
        async with self._acting(spec.id):
            with self._ready.being_asked():
                await self._create(spec)

    async def _create(self, spec: SandboxSpec) -> None:
        resumed = self._layout.bundle(spec.id).exists()
        if (box := self._boxes.get(spec.id)) is None or not is_alive(box.pid, box.start_ticks):
            if resumed:
                await self._making.remove(spec.id, keep_disk=True)
            box = self._boxes[spec.id] = await self._come_up(spec, resumed=resumed)
        if not spec.services:
            return
        try:
            await self._services.bring_up(spec, box)
        except RuntimeFault as fault:
            await self._take_down(spec.id, keep_disk=resumed)
            raise SandboxStartFailed(f"Its services could not be started: {fault}") from fault

    async def create_step(self, spec: SandboxSpec, step: Ground) -> None:
        """Start a sandbox for one step of a build, on the layers so far. See `StepRuntime`."""
        async with self._acting(spec.id):
            with self._ready.being_asked():
                if (ready := await self._ready.take_for_step(spec, step)) is not None:
                    name, box = ready
                    self._boxes[spec.id] = await self._making.assign(box, name, spec, step)
                    return
                while self._slots.all_taken and await self._ready.evict_one():
                    pass
                self._boxes[spec.id] = await self._making.make(spec, step=step)

    async def attach_step(
        self, sandbox_id: str, account: Account, argv: Sequence[str], cwd: str, environment: Mapping[str, str]
    ) -> Attached:
        """Start the command of a step. See `StepRuntime`."""
        box = self._running(sandbox_id)
        process = oci.process(account, argv, cwd, {}, requirements.most_open_files())
        process["env"] = [f"{name}={value}" for name, value in environment.items()]
        name = self._where.of(sandbox_id).name
        uid = box.uid_base + account.uid
        return await attach(self._launcher, self._crun, name, self._instance.attached, process, uid)

    async def _come_up(self, spec: SandboxSpec, *, resumed: bool) -> SandboxRecord:
        if not resumed and (ready := await self._ready.take(spec)) is not None:
            name, box = ready
            return await self._making.assign(box, name, spec)
        while self._slots.all_taken and await self._ready.evict_one():
            pass
        return await self._making.make(spec)

    async def set_network_policy(self, sandbox_id: str, policy: NetworkPolicy | None) -> None:
        async with self._acting(sandbox_id):
            box = self._running(sandbox_id)
            if box.network_policy == policy:
                return
            self._memory.write_description(sandbox_id, replace(box, network_policy=policy))
            await self._way_out.apply(box.slot, policy)
            box.network_policy = policy

    def image_version(self, image: str | None) -> str:
        """See `NamesImages`."""
        return self._roots.of_image(image).name

    async def destroy(self, sandbox_id: str) -> None:
        async with self._acting(sandbox_id):
            await self._take_down(sandbox_id, keep_disk=False)
        self._acts.pop(sandbox_id, None)

    async def suspend(self, sandbox_id: str) -> None:
        async with self._acting(sandbox_id):
            if not self._layout.bundle(sandbox_id).exists():
                raise SandboxNotFound(f"There is no sandbox {sandbox_id}.")
            await self._take_down(sandbox_id, keep_disk=True)

    async def _take_down(self, sandbox_id: str, *, keep_disk: bool) -> None:
        """End a sandbox and its services."""
        services = self._services.of(sandbox_id)
        for one in (*services, sandbox_id):
            await self._making.remove(one, keep_disk=keep_disk)
            known = self._boxes.pop(one, None)
            if known is not None:
                await self._making.give_back(known.slot)
            await self._commands.end_unfinished(one)
        if not keep_disk:
            for one in services:
                await self.forget(one)
            self._services.gone(sandbox_id)

    async def snapshot(self, sandbox_id: str, snapshot_id: str) -> int | None:
        async with self._acting(sandbox_id):
            box = self._boxes.get(sandbox_id)
            if (root := self._memory.image_of(sandbox_id) if box is None else box.image) is None:
                raise SandboxNotFound(f"There is no sandbox {sandbox_id}.")
            traces = self._where.of(sandbox_id)
            write_whole(self._layout.snapshot_file(snapshot_id), {"image": str(root)})
            try:
                taken = await self._launcher.ask(
                    Snapshot(
                        crun=self._crun,
                        pause=None if box is None else traces.name,
                        disk=str(traces.disk),
                        target=str(self._layout.snapshot_disk(snapshot_id)),
                    )
                )
            except LauncherFault as fault:
                await self.delete_snapshot(snapshot_id)
                raise SnapshotFailed(f"The host could not take the snapshot: {fault}") from fault
        return taken.bytes

    async def delete_snapshot(self, snapshot_id: str) -> None:
        fault = await self._launcher.attempt(DeleteDisk(str(self._layout.snapshot_disk(snapshot_id))))
        if fault is not None:
            log.warning("snapshot %s could not be deleted: %s", snapshot_id, fault)
            return
        self._layout.snapshot_file(snapshot_id).unlink(missing_ok=True)

    async def snapshots(self) -> set[str]:
        return await self._pool.snapshots()

    async def _remove_left(self, sandbox_id: str) -> None:
        await self._making.remove(sandbox_id, keep_disk=False)

    async def forget(self, sandbox_id: str) -> None:
        await asyncio.to_thread(self._commands.forget, sandbox_id)

    async def sandboxes(self) -> dict[str, SandboxStatus]:
        found = {*subfolders(self._layout.sandboxes), *self._boxes}
        return {sandbox_id: self._status(sandbox_id) for sandbox_id in found if not is_service(sandbox_id)}

    async def status(self, sandbox_id: str) -> SandboxStatus:
        if not self._layout.bundle(sandbox_id).exists():
            raise SandboxNotFound(f"There is no sandbox {sandbox_id}.")
        return self._status(sandbox_id)

    def _status(self, sandbox_id: str) -> SandboxStatus:
        box = self._boxes.get(sandbox_id)
        running = box is not None and is_alive(box.pid, box.start_ticks)
        cgroup = self._where.of(sandbox_id).cgroup
        return SandboxStatus(
            SandboxState.RUNNING if running else SandboxState.EXITED,
            out_of_memory=requirements.out_of_memory(cgroup),
            out_of_processes=requirements.out_of_processes(cgroup)
            and not (self._layout.bundle(sandbox_id) / STOPPED).exists(),
        )

    async def usage(self, sandbox_id: str) -> SandboxUsage:
        self._running(sandbox_id)
        found = usage(self._where.of(sandbox_id).cgroup)
        if found is None:
            raise SandboxNotRunning(f"Sandbox {sandbox_id} does not run any more.")
        return found

    async def wait(self, sandbox_id: str) -> SandboxStatus:
        box = self._boxes.get(sandbox_id)
        if box is not None:
            await wait_end(box.pid, box.start_ticks)
        async with self._acting(sandbox_id):  # it may have ended because it is being destroyed
            return await self.status(sandbox_id)

    def _acting(self, sandbox_id: str) -> asyncio.Lock:
        """Lock of a sandbox: one act at a time."""
        return self._acts.setdefault(sandbox_id, asyncio.Lock())
