"""Operations in running sandboxes: commands, connections and files."""

import asyncio
import os
import socket
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from loopyard.kit.host.linux import CA_BUNDLE, CA_VARIABLES
from loopyard.runtime.commands.folder import entering
from loopyard.runtime.crun.exec import files
from loopyard.runtime.crun.exec.attachment import attach, attach_terminal, in_memory
from loopyard.runtime.crun.exec.shells import without_bash
from loopyard.runtime.crun.exec.viewpoint import Viewpoint
from loopyard.runtime.crun.host import requirements
from loopyard.runtime.crun.launcher.client import LauncherFault, LauncherLost, Reply
from loopyard.runtime.crun.launcher.requests import Begun, Connect, Execute, JoinTarget, Listen
from loopyard.runtime.crun.parts import CrunParts
from loopyard.runtime.crun.sandbox import oci
from loopyard.runtime.crun.sandbox.accounts import Account
from loopyard.runtime.crun.sandbox.groups import groups_now
from loopyard.runtime.crun.sandbox.store import SandboxRecord
from loopyard.runtime.errors import CommandStartFailed, PortClosed, PortTaken, SandboxNotFound, SandboxNotRunning
from loopyard.runtime.processes import is_alive
from loopyard.runtime.protocol import MOST_OUTPUT_BYTES, Attached, CommandSpec, Terminal, User

_CHUNK_BYTES = 1 << 20
_ATTEMPTS = 5
"""How often a command is handed to the launcher, if that is killed before it has begun the command."""


class SandboxOperations:
    """Operations of the provider in running sandboxes. See the protocol for what each method does and raises."""

    def __init__(self, parts: CrunParts) -> None:
        self._layout = parts.layout
        self._crun = parts.crun
        self._instance = parts.instance
        self._launcher = parts.launcher
        self._where = parts.where
        self._roots = parts.roots
        self._boxes = parts.boxes
        self._commands = parts.commands
        self._ca_bundle = parts.ca_bundle

    async def start_command(self, sandbox_id: str, spec: CommandSpec) -> None:
        box = self.running(sandbox_id)
        account, process = self._process(box, spec)
        uid = box.uid_base + account.uid
        stdin_for = uid if spec.attach_stdin else None
        folder = self._commands.prepare(sandbox_id, spec.id, stdin_for=stdin_for)
        if folder is None:
            return
        told = in_memory(process)
        try:
            traces = self._where.of(sandbox_id)
            request = Execute(
                crun=self._crun,
                id=traces.name,
                sandbox=JoinTarget(
                    pid=box.pid,
                    ticks=box.start_ticks,
                    state=str(traces.state),
                    cgroup=traces.cgroup,
                    open_files=requirements.most_open_files(),
                    oom_score=oci.OOM_SCORE,
                ),
                folder=str(folder),
                live=str(self._commands.live(folder)),
                uid=uid,
                stdin=spec.attach_stdin,
                timeout_seconds=spec.timeout_seconds,
                most_bytes=MOST_OUTPUT_BYTES,
            )
            reply = await self._execute(request, folder, told)
        except LauncherFault as fault:
            if not await asyncio.to_thread(self._commands.give_up, folder):
                return  # only the answer was lost, with the launcher
            raise CommandStartFailed(f"The host could not start the command: {fault}") from fault
        else:
            if reply.answer.pid is not None:
                self._commands.watched(folder, reply.ended)
        finally:
            os.close(told)
            self._commands.started(folder)

    async def _execute(self, request: Execute, folder: Path, told: int) -> Reply[Begun]:
        """Ask the launcher until the command is begun: it may be killed meanwhile, and so may its workers.

        Raises:
            LauncherFault: It cannot be started, or they are killed again and again.
        """
        left = _ATTEMPTS
        while True:
            try:
                return await self._launcher.begin(request, (told,))
            except LauncherLost:
                left -= 1
                if left == 0 or self._commands.is_begun(folder):
                    raise

    def _process(self, box: SandboxRecord, spec: CommandSpec) -> tuple[Account, dict[str, Any]]:
        account = self._account(box, spec.user or box.user)
        environment = {**self._trusting(), **box.environment, **spec.environment}
        argv = spec.argv if self._roots.accounts(box.image).has_bash else without_bash(spec.argv)
        cwd = spec.cwd or (box.cwd if spec.user is None else None) or account.home
        entered = None
        if spec.cwd not in (None, account.home) and account.uid != 0:
            entered = {"args": list(argv), "cwd": cwd}
            argv, cwd = entering(cwd, argv), "/"
        process = oci.process(account, argv, cwd, environment, requirements.most_open_files())
        return account, process if entered is None else {**process, "entered": entered}

    async def attach_command(self, sandbox_id: str, spec: CommandSpec, terminal: Terminal | None = None) -> Attached:
        box = self.running(sandbox_id)
        account, process = self._process(box, spec)
        process.pop("entered", None)  # crun starts it
        run, name = self._instance.attached, self._where.of(sandbox_id).name
        if terminal is not None:
            return await attach_terminal(self._launcher, self._crun, name, run, process, terminal)
        return await attach(self._launcher, self._crun, name, run, process, box.uid_base + account.uid)

    async def connect(self, sandbox_id: str, port: int) -> socket.socket:
        box = self.running(sandbox_id)
        found = await self._socket(sandbox_id, Connect(box.pid, box.start_ticks, port))
        if found is None:
            raise PortClosed(f"Nothing listens on port {port}.")
        return found

    async def listen(self, sandbox_id: str, port: int) -> socket.socket:
        box = self.running(sandbox_id)
        made = await self._socket(sandbox_id, Listen(box.pid, box.start_ticks, port))
        if made is None:
            raise PortTaken(f"Port {port} cannot be listened on.")
        return made

    async def _socket(self, sandbox_id: str, request: Connect | Listen) -> socket.socket | None:
        try:
            reply = await self._launcher.begin(request)
        except LauncherFault as fault:
            raise SandboxNotRunning(f"Sandbox {sandbox_id} cannot be reached: {fault}") from fault
        if not reply.answer.usable:
            return None
        received = socket.socket(fileno=reply.descriptors[0])
        received.setblocking(False)
        return received

    def running(self, sandbox_id: str) -> SandboxRecord:
        """The sandbox, which must run. Raises SandboxNotFound, SandboxNotRunning."""
        box = self._boxes.get(sandbox_id)
        if box is not None and is_alive(box.pid, box.start_ticks):
            return box
        if box is None and not self._layout.bundle(sandbox_id).exists():
            raise SandboxNotFound(f"There is no sandbox {sandbox_id}.")
        raise SandboxNotRunning(f"Sandbox {sandbox_id} does not run any more.")

    def _account(self, box: SandboxRecord, user: User) -> Account:
        accounts = self._roots.accounts(box.image)
        account = accounts.find(user) or accounts.add(user)[0]
        gid = box.user.gid if user.gid is None and user.is_like(box.user) else user.gid
        if gid is not None:
            return account.in_group(gid)
        if not user.is_like(box.user) or account.uid == 0:
            return account
        box.groups = groups_now(box.pid, account, box.groups)
        return account if box.groups is None else replace(account, groups=box.groups.groups)

    def _trusting(self) -> dict[str, str]:
        """Variables that make programs with authorities of their own trust the sandbox's."""
        if self._ca_bundle is None or not self._ca_bundle.exists():
            return {}
        return dict.fromkeys(CA_VARIABLES, CA_BUNDLE)

    async def read_file(self, sandbox_id: str, path: str, *, user: User | None = None) -> AsyncIterator[bytes]:
        view = self.viewpoint(sandbox_id, user)
        descriptor = await asyncio.to_thread(files.open_for_reading, view, path)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
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
        view = self.viewpoint(sandbox_id, user)
        writing = await asyncio.to_thread(files.open_for_writing, view, path, mode)
        try:
            async for chunk in content:
                await asyncio.to_thread(writing.write, chunk)
            await asyncio.to_thread(writing.commit)
        finally:
            await asyncio.to_thread(writing.close)

    def viewpoint(self, sandbox_id: str, user: User | None) -> Viewpoint:
        """How a user sees the files of a sandbox. Raises SandboxNotFound, SandboxNotRunning."""
        box = self.running(sandbox_id)
        return Viewpoint(box.pid, box.start_ticks, box.uid_base, self._account(box, user or box.user))
