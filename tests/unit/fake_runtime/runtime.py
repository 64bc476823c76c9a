"""The runtime protocol in the memory of this process."""

import os
import socket
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass, field, replace

from loopyard.devbox.attachment.login_shell import LOGIN_SHELL
from loopyard.runtime.errors import (
    CommandNotFound,
    ImageNotFound,
    NotSupported,
    PortClosed,
    RuntimeFault,
    SandboxNotFound,
    SandboxNotRunning,
    SnapshotNotFound,
)
from loopyard.runtime.folder_changes import FolderChanges
from loopyard.runtime.protocol import (
    Attached,
    CommandResult,
    CommandSpec,
    Features,
    NetworkPolicy,
    SandboxSpec,
    SandboxState,
    SandboxStatus,
    SandboxUsage,
    Stream,
    Terminal,
    User,
)
from tests.unit.fake_runtime import files
from tests.unit.fake_runtime.attachment import FakeAttached
from tests.unit.fake_runtime.builder import FakeBuilder
from tests.unit.fake_runtime.commands import LOST, Command
from tests.unit.fake_runtime.comparison import compare
from tests.unit.fake_runtime.disk import ROOT, Disk, File, Folder, Who
from tests.unit.fake_runtime.image import base_disk
from tests.unit.fake_runtime.machine import PATH, Machine, enter, execute, who_is
from tests.unit.fake_runtime.process import Process
from tests.unit.fake_runtime.streams import Held, Waiters

_FEATURES = Features(
    disk_limits=False, user_namespaces=False, metadata_closed=False, network_rules=True, snapshot_xattrs=False
)


@dataclass(eq=False)
class Box:
    """A sandbox; `machine` is None while it is stopped. `gone` once it is destroyed."""

    spec: SandboxSpec
    disk: Disk
    machine: Machine | None = None
    out_of_memory: bool = False
    gone: bool = False
    changed: Waiters = field(default_factory=Waiters)
    at_start: Disk | None = None
    """Its disk before the first command, which tells what is changed later."""
    folder_changes: FolderChanges | None = None

    @property
    def status(self) -> SandboxStatus:
        state = SandboxState.EXITED if self.machine is None else SandboxState.RUNNING
        return SandboxStatus(state, self.out_of_memory)


@dataclass(eq=False)
class Host:
    """All that a provider keeps. It outlives the runtimes over it, as a machine outlives servers.

    `refusals` are faults that the next call of a method, by its name, ends with.
    """

    boxes: dict[str, Box] = field(default_factory=dict[str, Box])
    full_after: int | None = None
    """How many bytes of each stream of a new command the host's disk takes before it is full; None for all."""
    commands: dict[str, dict[str, Command]] = field(default_factory=dict[str, dict[str, Command]])
    snapshots: dict[str, Disk] = field(default_factory=dict[str, Disk])
    images: dict[str, Disk] = field(default_factory=dict[str, Disk])
    refusals: dict[str, list[RuntimeFault]] = field(default_factory=dict[str, list[RuntimeFault]])

    def refuse(self, method: str) -> None:
        """Raise what a test wants this call to end with."""
        if waiting := self.refusals.get(method):
            raise waiting.pop(0)

    async def end_first_process(self, sandbox_id: str, *, out_of_memory: bool = False) -> None:
        """Have a sandbox go down by itself."""
        box = self.boxes[sandbox_id]
        box.out_of_memory = out_of_memory
        await self.halt(box)

    async def halt(self, box: Box) -> None:
        """Stop all that runs in a sandbox, its first process with it."""
        machine, box.machine = box.machine, None
        if machine is not None:
            machine.stop()
            for process in list(machine.processes.values()):
                await process.wait()
        for command in self.commands.get(box.spec.id, {}).values():
            command.end(LOST)
        box.changed.wake()


class FakeRuntime:
    """Sandboxes of a host in memory. See the protocol for what each method does and raises."""

    name = "fake"

    def __init__(self, host: Host) -> None:
        self.host = host

    @property
    def features(self) -> Features:
        return _FEATURES

    @property
    def image_builder(self) -> FakeBuilder:
        """See `BuildsImages`."""
        return FakeBuilder(self.host.images, _prepare)

    async def open(self) -> None:
        self.host.refuse("open")

    async def close(self) -> None:
        pass

    def _box(self, sandbox_id: str) -> Box:
        box = self.host.boxes.get(sandbox_id)
        if box is None:
            raise SandboxNotFound(f"There is no sandbox {sandbox_id}.")
        return box

    def _running(self, sandbox_id: str) -> tuple[Box, Machine]:
        box = self._box(sandbox_id)
        if box.machine is None:
            raise SandboxNotRunning(f"Sandbox {sandbox_id} does not run.")
        return box, box.machine

    def _command(self, sandbox_id: str, command_id: str) -> Command:
        command = self.host.commands.get(sandbox_id, {}).get(command_id)
        if command is None:
            raise CommandNotFound(f"There is no command {command_id} in sandbox {sandbox_id}.")
        return command

    async def create(self, spec: SandboxSpec) -> None:
        self.host.refuse("create")
        box = self.host.boxes.get(spec.id)
        if box is not None and box.machine is not None:
            return
        if box is None:
            box = self.host.boxes[spec.id] = Box(spec, self._disk_for(spec))
        box.spec, box.out_of_memory = spec, False
        _prepare(box.disk, spec)
        box.machine = Machine(box.disk, spec.hostname)
        box.at_start = box.at_start or box.disk.copy()

    def _disk_for(self, spec: SandboxSpec) -> Disk:
        if spec.snapshot is not None:
            if spec.snapshot not in self.host.snapshots:
                raise SnapshotNotFound(f"There is no snapshot {spec.snapshot} on this host.")
            return self.host.snapshots[spec.snapshot].copy()
        if spec.image is None:
            return base_disk().copy()
        if spec.image not in self.host.images:
            raise ImageNotFound(f"There is no image {spec.image} on this host.")
        return self.host.images[spec.image].copy()

    async def destroy(self, sandbox_id: str) -> None:
        self.host.refuse("destroy")
        box = self.host.boxes.pop(sandbox_id, None)
        if box is not None:
            box.gone = True
            await self.host.halt(box)

    async def set_network_policy(self, sandbox_id: str, policy: NetworkPolicy | None) -> None:
        self.host.refuse("set_network_policy")
        box, _ = self._running(sandbox_id)
        box.spec = replace(box.spec, network_policy=policy)

    async def suspend(self, sandbox_id: str) -> None:
        self.host.refuse("suspend")
        await self.host.halt(self._box(sandbox_id))

    async def snapshot(self, sandbox_id: str, snapshot_id: str) -> int | None:
        self.host.refuse("snapshot")
        box = self._box(sandbox_id)
        kept = self.host.snapshots.setdefault(snapshot_id, box.disk.copy())
        return max(0, kept.size() - base_disk().size())

    async def delete_snapshot(self, snapshot_id: str) -> None:
        self.host.refuse("delete_snapshot")
        self.host.snapshots.pop(snapshot_id, None)

    async def snapshots(self) -> set[str]:
        return set(self.host.snapshots)

    async def forget(self, sandbox_id: str) -> None:
        self.host.commands.pop(sandbox_id, None)

    async def sandboxes(self) -> dict[str, SandboxStatus]:
        return {sandbox_id: box.status for sandbox_id, box in self.host.boxes.items()}

    async def folder_changes(self, sandbox_id: str, path: str) -> FolderChanges | None:
        """See `ComparesFolders`."""
        self.host.refuse("folder_changes")
        box = self.host.boxes.get(sandbox_id)
        if box is None or box.at_start is None:
            return None
        if box.folder_changes is None:
            box.folder_changes = compare(box.at_start, box.disk, path)
        return box.folder_changes

    async def status(self, sandbox_id: str) -> SandboxStatus:
        return self._box(sandbox_id).status

    async def usage(self, sandbox_id: str) -> SandboxUsage:
        box, machine = self._running(sandbox_id)
        return SandboxUsage(box.disk.size(), 0.0, len(machine.processes) + 1)

    async def wait(self, sandbox_id: str) -> SandboxStatus:
        box = self._box(sandbox_id)
        while box.machine is not None:
            await box.changed.wait()
        if box.gone:
            raise SandboxNotFound(f"Sandbox {sandbox_id} was destroyed.")
        return box.status

    async def start_command(self, sandbox_id: str, spec: CommandSpec) -> None:
        self.host.refuse("start_command")
        if spec.id in self.host.commands.get(sandbox_id, {}):
            return
        box, machine = self._running(sandbox_id)
        command = self.host.commands.setdefault(sandbox_id, {})[spec.id] = Command(spec, self.host.full_after)
        process = _process(box, machine, spec, command.streams)
        command.follow(process)

    async def wait_command(self, sandbox_id: str, command_id: str) -> CommandResult:
        return await self._command(sandbox_id, command_id).wait()

    async def commands(self, sandbox_id: str) -> dict[str, CommandResult | None]:
        return {name: command.result for name, command in self.host.commands.get(sandbox_id, {}).items()}

    async def read_output(
        self, sandbox_id: str, command_id: str, stream: Stream, offset: int = 0, limit: int = 1 << 20
    ) -> bytes:
        return self._command(sandbox_id, command_id).read(stream, offset, limit)

    async def output_size(self, sandbox_id: str, command_id: str, stream: Stream) -> int:
        return len(self._command(sandbox_id, command_id).outputs[stream].data)

    async def is_truncated(self, sandbox_id: str, command_id: str, stream: Stream) -> bool:
        return self._command(sandbox_id, command_id).outputs[stream].lost

    async def wait_output(
        self, sandbox_id: str, command_id: str, stream: Stream, offset: int, timeout_seconds: float
    ) -> bool:
        return await self._command(sandbox_id, command_id).wait_output(stream, offset, timeout_seconds)

    async def write_stdin(self, sandbox_id: str, command_id: str, data: bytes, *, eof: bool = False) -> None:
        await self._command(sandbox_id, command_id).write(data, eof=eof)

    async def signal_command(self, sandbox_id: str, command_id: str, signal: int, *, group: bool = True) -> None:
        self._command(sandbox_id, command_id).signal(signal, group=group)

    async def attach_command(self, sandbox_id: str, spec: CommandSpec, terminal: Terminal | None = None) -> Attached:
        box, machine = self._running(sandbox_id)
        attached = FakeAttached(terminal)
        attached.follow(_process(box, machine, spec, attached.streams, terminal))
        return attached

    async def connect(self, sandbox_id: str, port: int) -> socket.socket:
        self._running(sandbox_id)
        raise PortClosed(f"Nothing listens on port {port}.")

    async def listen(self, sandbox_id: str, port: int) -> socket.socket:
        self._running(sandbox_id)
        raise NotSupported(f"Sandboxes in memory have no network: port {port} cannot be listened on.")

    async def read_file(self, sandbox_id: str, path: str, *, user: User | None = None) -> AsyncIterator[bytes]:
        self.host.refuse("read_file")
        box, _ = self._running(sandbox_id)
        async for chunk in files.read(box.disk, path, user or box.spec.user):
            yield chunk

    async def write_file(
        self,
        sandbox_id: str,
        path: str,
        content: AsyncIterable[bytes],
        *,
        user: User | None = None,
        mode: int | None = None,
    ) -> None:
        self.host.refuse("write_file")
        box, _ = self._running(sandbox_id)
        await files.write(box.disk, path, content, user or box.spec.user, mode)


def _prepare(disk: Disk, spec: SandboxSpec) -> None:
    """What a sandbox has that its image has not: its name, and its user."""
    for path, content in (
        ("/etc/hostname", f"{spec.hostname}\n"),
        ("/etc/hosts", f"127.0.0.1 localhost {spec.hostname}\n"),
    ):
        if not disk.exists(path):
            disk.add(path, File(mode=0o644))
        disk.file(path).data[:] = content.encode()
    user = spec.user
    if who_is(disk, str(user.uid)) is None:
        disk.file("/etc/passwd").data.extend(f"{user.name}:x:{user.uid}:{user.uid}::{user.home}:/bin/bash\n".encode())
        disk.file("/etc/group").data.extend(f"{user.name}:x:{user.uid}:\n".encode())
    if not disk.exists(user.home):
        disk.make_folders(user.home.rpartition("/")[0], ROOT)
        disk.add(user.home, Folder(mode=0o755, uid=user.uid, gid=user.uid))


def _process(
    box: Box, machine: Machine, spec: CommandSpec, streams: dict[int, Held], terminal: Terminal | None = None
) -> Process:
    """A command's own process, begun."""
    user = spec.user or box.spec.user
    environment = {
        "PATH": PATH, "HOME": user.home, "USER": user.name, "LOGNAME": user.name, "SHELL": "/bin/bash",
        **({} if terminal is None else {"TERM": terminal.kind}), **box.spec.environment, **spec.environment,
    }  # fmt: skip
    pid = machine.next_pid()
    argv = ["/bin/bash", "-l"] if list(spec.argv) == list(LOGIN_SHELL) else list(spec.argv)
    process = Process(machine, pid, pid, Who(user.uid, user.uid), argv, environment, "/", dict(streams))
    machine.processes[pid] = process

    async def run(process: Process) -> int:
        folder = spec.cwd or user.home
        try:
            enter(process, folder)
        except OSError as error:
            await process.complain(f"{folder}: {os.strerror(error.errno or 0).lower()}")
            return 126
        return await execute(process, argv)

    process.begin(run)
    return process
