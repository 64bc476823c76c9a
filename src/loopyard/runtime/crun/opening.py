"""Opens the provider: checks the host, makes what is missing, and takes up what an earlier process left running."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from loopyard.runtime.base_image.making import ensure_base
from loopyard.runtime.commands.kept import Commands
from loopyard.runtime.config import CrunConfig
from loopyard.runtime.crun.egress.client import EgressClient
from loopyard.runtime.crun.egress.listeners import listen_for_gateway
from loopyard.runtime.crun.egress.nft import RulesRefused
from loopyard.runtime.crun.host import instance, network, requirements
from loopyard.runtime.crun.launcher.client import LauncherClient
from loopyard.runtime.crun.parts import CrunParts
from loopyard.runtime.crun.provider import CrunRuntime
from loopyard.runtime.crun.sandbox.factory import SandboxFactory
from loopyard.runtime.crun.sandbox.paths import PathResolver
from loopyard.runtime.crun.sandbox.refusals import RefusalReporter
from loopyard.runtime.crun.sandbox.roots import Roots
from loopyard.runtime.crun.sandbox.slot_pool import SlotPool
from loopyard.runtime.crun.sandbox.store import SandboxRecord, SandboxStore
from loopyard.runtime.crun.sandbox.warm_pool import WarmPool, remove_left
from loopyard.runtime.crun.storage import disk
from loopyard.runtime.crun.storage.image_references import register
from loopyard.runtime.crun.storage.pool import Pool
from loopyard.runtime.crun.storage.shared_folders import SharedFolders
from loopyard.runtime.errors import RuntimeUnavailable
from loopyard.runtime.layout import Layout, subfolders
from loopyard.runtime.memory import memory_folder
from loopyard.runtime.processes import is_alive


async def open_crun(config: CrunConfig, data_dir: Path) -> CrunRuntime:
    """The provider over a data folder. Whoever opens it closes it.

    Raises:
        RuntimeUnavailable: This host cannot run it; the message says what to do about it.
    """
    async with AsyncExitStack() as resources:
        parts = await _open_parts(config, Layout(data_dir), resources)
        return CrunRuntime(parts, resources.pop_all())


class _Claim:
    """Block of this server on the host, held by a descriptor. `boxes` are its sandboxes that run, once they are all
    known."""

    def __init__(self, layout: Layout, config: CrunConfig) -> None:
        self.instance, self._hold = instance.claim(layout.data, config.network)
        self.boxes: Mapping[str, SandboxRecord] | None = None

    async def release(self) -> None:
        """Leave the host, if no sandbox runs."""
        if self.boxes is not None and not any(is_alive(box.pid, box.start_ticks) for box in self.boxes.values()):
            await asyncio.to_thread(instance.leave, self.instance)
        os.close(self._hold)


async def _open_parts(config: CrunConfig, layout: Layout, resources: AsyncExitStack) -> CrunParts:
    requirements.check()
    init, crun_program = requirements.program("catatonit"), requirements.program("crun")
    images = config.images_of(layout.data)
    await ensure_base(images, config.ca_bundle)
    for folder in (layout.sandboxes, layout.commands, layout.snapshots):
        folder.mkdir(parents=True, exist_ok=True)
    register(images, layout.data)
    claim = _Claim(layout, config)
    resources.push_async_callback(claim.release)
    own = claim.instance
    where = PathResolver(layout, own)
    memory = SandboxStore(where, own.block)
    commands = Commands(layout)
    commands.running = memory_folder(f"{own.block}/running")
    crun = [str(crun_program), "--root", str(own.crun_root), "--cgroup-manager=cgroupfs"]
    launcher = LauncherClient(await asyncio.to_thread(disk.prepare, layout, crun_program, config.disk_gib))
    resources.push_async_callback(launcher.close)
    await launcher.start()
    held = await remove_left(layout, own, where, launcher, crun)
    boxes = _running(layout, memory)
    claim.boxes = boxes
    network.allow_forwarding()
    gateway = listen_for_gateway()
    resources.callback(gateway.close)
    refusals = RefusalReporter(own, boxes)
    way_out = EgressClient(
        own,
        config.mirrors,
        config.open_host_ports,
        gateway.getsockname()[1],
        open_seconds=config.names_open_seconds,
        refused=refusals.report,
    )
    resources.push_async_callback(way_out.close)
    try:
        await way_out.open({box.slot: box.network_policy for box in boxes.values()})
    except RulesRefused as fault:
        raise RuntimeUnavailable(f"Sandboxes would have no network: {fault}") from fault
    used = held | {box.slot for box in boxes.values()}
    await network.remove_stale_links(own, used)
    slots = SlotPool(own, launcher, config.spare_slots, used)
    resources.push_async_callback(slots.close)
    slots.refill()
    roots, pool = Roots(images, layout), Pool(layout, launcher)
    making = SandboxFactory(layout, own, launcher, slots, way_out, where, memory, roots, crun, init)
    ready = WarmPool(making, roots, config.ready_sandboxes)
    resources.push_async_callback(ready.close)
    resources.callback(commands.close)
    return CrunParts(
        layout=layout,
        images=images,
        ca_bundle=config.ca_bundle,
        crun=crun,
        instance=own,
        launcher=launcher,
        pool=pool,
        shared=SharedFolders(layout, launcher, pool, lambda: [box.pid for box in boxes.values()]),
        roots=roots,
        where=where,
        memory=memory,
        boxes=boxes,
        commands=commands,
        slots=slots,
        way_out=way_out,
        making=making,
        ready=ready,
        refusals=refusals,
        gateway=gateway,
    )


def _running(layout: Layout, memory: SandboxStore) -> dict[str, SandboxRecord]:
    """The sandboxes that an earlier process started, and that run."""
    known = {sandbox_id: memory.recall(sandbox_id) for sandbox_id in subfolders(layout.sandboxes)}
    return {name: box for name, box in known.items() if box is not None and is_alive(box.pid, box.start_ticks)}
