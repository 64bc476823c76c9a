"""Parts of the provider, each opened, and what they share."""

import socket
from dataclasses import dataclass
from pathlib import Path

from loopyard.runtime.commands.kept import Commands
from loopyard.runtime.crun.egress.client import EgressClient
from loopyard.runtime.crun.host.instance import Instance
from loopyard.runtime.crun.launcher.client import LauncherClient
from loopyard.runtime.crun.sandbox.factory import SandboxFactory
from loopyard.runtime.crun.sandbox.paths import PathResolver
from loopyard.runtime.crun.sandbox.refusals import RefusalReporter
from loopyard.runtime.crun.sandbox.roots import Roots
from loopyard.runtime.crun.sandbox.slot_pool import SlotPool
from loopyard.runtime.crun.sandbox.store import SandboxRecord, SandboxStore
from loopyard.runtime.crun.sandbox.warm_pool import WarmPool
from loopyard.runtime.crun.storage.pool import Pool
from loopyard.runtime.crun.storage.shared_folders import SharedFolders
from loopyard.runtime.layout import Layout


@dataclass(frozen=True, slots=True)
class CrunParts:
    """`crun` is the command line up to crun's own command, `images` the folder of images, `ca_bundle` a file of
    certificate authorities that sandboxes trust besides their own, `boxes` are the sandboxes that run, by their ids,
    and `gateway` listens at the host's gateway."""

    layout: Layout
    images: Path
    ca_bundle: Path | None
    crun: list[str]
    instance: Instance
    launcher: LauncherClient
    pool: Pool
    shared: SharedFolders
    roots: Roots
    where: PathResolver
    memory: SandboxStore
    boxes: dict[str, SandboxRecord]
    commands: Commands
    slots: SlotPool
    way_out: EgressClient
    making: SandboxFactory
    ready: WarmPool
    refusals: RefusalReporter
    gateway: socket.socket
