"""The runtime protocol, carried out by Docker, or by Podman's socket that speaks like it."""

import asyncio
import contextlib
import logging
import shutil
import socket
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import aiodocker
import aiohttp

from loopyard.kit.host.linux import CA_BUNDLE, CA_VARIABLES, SEARCH_PATH
from loopyard.runtime.commands.answers import CommandAnswers
from loopyard.runtime.docker import container, files, users, wrapper
from loopyard.runtime.docker.boxes import Box, Boxes
from loopyard.runtime.docker.building.builder import DockerImageBuilder
from loopyard.runtime.docker.building.keeping import LayersKeeper
from loopyard.runtime.docker.calls import Refused
from loopyard.runtime.docker.commands import DockerCommands
from loopyard.runtime.docker.engine import Engine, refused_command
from loopyard.runtime.docker.images import Snapshots
from loopyard.runtime.docker.streams import attach, connect
from loopyard.runtime.docker.survey import Survey
from loopyard.runtime.docker.users import Account
from loopyard.runtime.errors import (
    ImageNotFound,
    NotSupported,
    RuntimeFault,
    SandboxNotFound,
    SandboxNotRunning,
    SandboxStartFailed,
    SandboxStuck,
    SnapshotFailed,
    SnapshotNotFound,
)
from loopyard.runtime.layout import Layout, subfolders
from loopyard.runtime.protocol import (
    MOST_OUTPUT_BYTES,
    Attached,
    CommandSpec,
    NetworkPolicy,
    SandboxSpec,
    SandboxState,
    SandboxStatus,
    SandboxUsage,
    Terminal,
    User,
)
from loopyard.runtime.upkeep import Keeper

log = logging.getLogger("loopyard.runtime")

_REMOVAL_LOOKS, _REMOVAL_PAUSE = 100, 0.1
"""How often, and after how many seconds each, one looks whether a removal has come to its end."""

_USAGE_LOOKS, _USAGE_PAUSE = 20, 0.1

_MOST_ROOM = 256
"""How many processes a sandbox may have past its limit while a signal is being brought in."""


@dataclass(frozen=True, slots=True)
class DockerParts:
    """Parts of the provider, each opened. `server` is the name of this server in the engine, `base` the base image
    there, `ca_bundle` a file of certificate authorities that sandboxes trust besides their own."""

    layout: Layout
    engine: Engine
    server: str
    base: str
    survey: Survey
    snapshots: Snapshots
    builder: DockerImageBuilder
    ca_bundle: Path | None


class DockerRuntime:
    """Sandboxes as containers. See the protocol for what each method does and raises."""

    name = "docker"

    def __init__(self, parts: DockerParts) -> None:
        self._layout, self._engine, self._server = parts.layout, parts.engine, parts.server
        self._base, self._survey, self._snapshots = parts.base, parts.survey, parts.snapshots
        self._ca_bundle = parts.ca_bundle
        self._commands = DockerCommands(self._layout, self._signal)
        self._acts: dict[str, asyncio.Lock] = {}
        self._boxes = Boxes(self._layout, self._server)
        self.features = parts.survey.features
        self.image_builder = parts.builder
        self.keepers: Sequence[Keeper] = [LayersKeeper(self._engine, self._server)]
        answers = CommandAnswers(self._commands)
        self.wait_command = answers.wait_command
        self.commands = answers.commands
        self.read_output = answers.read_output
        self.output_size = answers.output_size
        self.is_truncated = answers.is_truncated
        self.wait_output = answers.wait_output
        self.write_stdin = answers.write_stdin
        self.signal_command = answers.signal_command

    async def close(self) -> None:
        self._commands.close()
        await self._engine.close()

    def _container(self, sandbox_id: str) -> str:
        return f"{self._server}-{sandbox_id}"

    async def create(self, spec: SandboxSpec) -> None:
        if not container.can_enforce(spec.network_policy):
            raise NotSupported("The docker provider can open the network or close it; the crun provider knows rules.")
        if spec.services:
            raise NotSupported("The docker provider has no services beside a sandbox; the crun provider does.")
        async with self._acting(spec.id):
            state = await self._state(spec.id)
            if state is not None and state["Running"] and self._boxes.recall(spec.id) is not None:
                return
            try:
                await self._start(spec, exists=state is not None)
            except (aiodocker.DockerError, RuntimeFault, OSError) as error:
                if state is None:
                    try:
                        await self._remove(spec.id)
                    except SandboxStuck as stuck:
                        log.warning("%s It is left to the next start.", stuck)
                if isinstance(error, (ImageNotFound, SnapshotNotFound)):
                    raise
                raise SandboxStartFailed(f"The engine could not start the sandbox: {error}") from error

    async def _start(self, spec: SandboxSpec, *, exists: bool) -> None:
        name = self._container(spec.id)
        self._layout.bundle(spec.id).mkdir(parents=True, exist_ok=True)
        if exists:
            await self._set_limits(name, container.limits(spec.limits))
        else:
            await self._make(spec, name)
        was_closed = exists and (known := self._boxes.recall(spec.id)) is not None and known.closed
        closed = container.is_closed(spec.network_policy)
        if closed != was_closed:
            await self._set_network(name, closed=closed)
        await self._engine.ask("POST", f"containers/{name}/start")
        status, passwd, errors = await self._engine.run(name, users.ensuring(spec.user))
        if status != 0:
            raise SandboxStartFailed(f"The user could not be made: {errors.strip()}")
        said: dict[str, Any] = (await self._engine.ask("GET", f"containers/{name}/json"))["Config"]
        variables, limit = dict(spec.environment), spec.limits.pids
        box = Box(spec.user, variables, passwd, closed, limit, container.environment(said), container.workdir(said))
        self._boxes.remember(spec.id, box)

    def image_version(self, image: str | None) -> str:
        """See `NamesImages`."""
        return image or self._base

    async def _make(self, spec: SandboxSpec, name: str) -> None:
        image = self._base if spec.image is None else self.image_builder.name(spec.image)
        if spec.snapshot is not None:
            if not await self._snapshots.has(spec.snapshot):
                raise SnapshotNotFound(f"There is no snapshot {spec.snapshot} on this host.")
            image = self._snapshots.name(spec.snapshot)
        try:
            said: dict[str, Any] = (await self._engine.docker.images.inspect(image)).get("Config") or {}
            body = container.configuration(
                spec,
                image,
                self._server,
                self._survey.network,
                container.workdir(said),
                disk_limits=self._survey.features.disk_limits,
            )
            await self._engine.ask("POST", "containers/create", params={"name": name}, json=body)
        except aiodocker.DockerError as error:
            if error.status == 404:
                raise ImageNotFound(f"There is no image {image} in the engine.") from error
            raise

    async def _set_limits(self, name: str, limits: Mapping[str, Any]) -> None:
        """Change limits of a container that is there."""
        try:
            await self._engine.ask("POST", f"containers/{name}/update", json=limits)
        except aiodocker.DockerError as error:
            if error.status != 404:  # Podman before 4.4 does not know this: the limits stay
                raise

    async def _set_network(self, name: str, *, closed: bool) -> None:
        act = "disconnect" if closed else "connect"
        await self._engine.ask("POST", f"networks/{self._survey.network}/{act}", json={"Container": name})

    async def set_network_policy(self, sandbox_id: str, policy: NetworkPolicy | None) -> None:
        if not container.can_enforce(policy):
            raise NotSupported("The docker provider can open the network or close it; the crun provider knows rules.")
        async with self._acting(sandbox_id):
            box = await self._running(sandbox_id)
            closed = container.is_closed(policy)
            if closed != box.closed:
                await self._set_network(self._container(sandbox_id), closed=closed)
                box = replace(box, closed=closed)
                self._boxes.remember(sandbox_id, box)

    async def destroy(self, sandbox_id: str) -> None:
        async with self._acting(sandbox_id):
            await self._remove(sandbox_id)
            await self._commands.end_unfinished(sandbox_id)
        self._acts.pop(sandbox_id, None)

    async def _remove(self, sandbox_id: str) -> None:
        """Raises SandboxStuck: The engine could not."""
        try:
            await self._engine.ask("DELETE", f"containers/{self._container(sandbox_id)}?force=true&v=true")
        except aiodocker.DockerError as error:
            if error.status == 409:  # it is being removed already
                await self._wait_gone(sandbox_id)
            elif error.status != 404:
                raise SandboxStuck(f"The engine could not remove sandbox {sandbox_id}: {error.message}") from error
        except (OSError, aiohttp.ClientError) as error:
            raise SandboxStuck(f"The engine could not be asked to remove sandbox {sandbox_id}: {error}") from error
        self._boxes.forget(sandbox_id)
        shutil.rmtree(self._layout.bundle(sandbox_id), ignore_errors=True)
        await self._snapshots.sweep()

    async def _wait_gone(self, sandbox_id: str) -> None:
        for _ in range(_REMOVAL_LOOKS):
            if await self._state(sandbox_id) is None:
                return
            await asyncio.sleep(_REMOVAL_PAUSE)
        raise SandboxStuck(f"The engine does not come to an end with removing sandbox {sandbox_id}.")

    async def suspend(self, sandbox_id: str) -> None:
        async with self._acting(sandbox_id):
            try:
                state = await self._state(sandbox_id)
                if state is None:
                    raise SandboxNotFound(f"There is no sandbox {sandbox_id}.")
                if state["Running"]:
                    await self._engine.ask("POST", f"containers/{self._container(sandbox_id)}/stop?t=0")
            except (aiodocker.DockerError, OSError, aiohttp.ClientError) as error:
                raise SandboxStuck(f"The engine could not stop sandbox {sandbox_id}: {error}") from error
            await self._commands.end_unfinished(sandbox_id)

    async def snapshot(self, sandbox_id: str, snapshot_id: str) -> int | None:
        async with self._acting(sandbox_id):
            if await self._state(sandbox_id) is None:
                raise SandboxNotFound(f"There is no sandbox {sandbox_id}.")
            try:
                return await self._snapshots.take(self._container(sandbox_id), snapshot_id)
            except aiodocker.DockerError as error:
                raise SnapshotFailed(f"The engine could not take the snapshot: {error}") from error

    async def delete_snapshot(self, snapshot_id: str) -> None:
        await self._snapshots.delete(snapshot_id)

    async def snapshots(self) -> set[str]:
        return await self._snapshots.all()

    async def forget(self, sandbox_id: str) -> None:
        await asyncio.to_thread(self._commands.forget, sandbox_id)

    async def sandboxes(self) -> dict[str, SandboxStatus]:
        filters = f'{{"label": ["{container.SERVER_LABEL}={self._server}"]}}'
        rows: list[dict[str, Any]] = await self._engine.ask(
            "GET", "containers/json", params={"all": "true", "filters": filters}
        )
        labels = [one for row in rows if (one := container.sandbox_of(row, self._container)) is not None]
        found = {*labels, *subfolders(self._layout.sandboxes)}
        statuses = await asyncio.gather(*(self._status_or_none(sandbox_id) for sandbox_id in found))
        gone = SandboxStatus(SandboxState.EXITED)
        return {sandbox_id: status or gone for sandbox_id, status in zip(found, statuses, strict=True)}

    async def _status_or_none(self, sandbox_id: str) -> SandboxStatus | None:
        with contextlib.suppress(SandboxNotFound):
            return await self.status(sandbox_id)
        return None

    async def status(self, sandbox_id: str) -> SandboxStatus:
        state = await self._state(sandbox_id)
        if state is None:
            raise SandboxNotFound(f"There is no sandbox {sandbox_id}.")
        killed = bool(state.get("OOMKilled"))
        if not state["Running"] or self._boxes.recall(sandbox_id) is None:
            return SandboxStatus(SandboxState.EXITED, out_of_memory=killed)
        if not killed:
            with contextlib.suppress(RuntimeFault):
                counts = (await self._as_root(sandbox_id, container.OUT_OF_MEMORY)).split()[1::2]
                killed = any(count != "0" for count in counts)
        return SandboxStatus(SandboxState.RUNNING, out_of_memory=killed)

    async def _state(self, sandbox_id: str) -> dict[str, Any] | None:
        """State of the container by the engine; None if there is none."""
        self._layout.bundle(sandbox_id)  # an id that cannot be one is told
        try:
            return (await self._engine.ask("GET", f"containers/{self._container(sandbox_id)}/json"))["State"]
        except aiodocker.DockerError as error:
            if error.status == 404:
                return None
            raise

    async def usage(self, sandbox_id: str) -> SandboxUsage:
        name = self._container(sandbox_id)
        for _ in range(_USAGE_LOOKS):
            await self._running(sandbox_id)
            stats = await self._engine.ask("GET", f"containers/{name}/stats?stream=false&one-shot=true")
            if (used := container.usage(stats)) is not None:
                return used
            await asyncio.sleep(_USAGE_PAUSE)  # a busy engine has no figures yet
        raise SandboxNotRunning(f"The engine has no figures of sandbox {sandbox_id}.")

    async def wait(self, sandbox_id: str) -> SandboxStatus:
        try:
            await self._engine.ask("POST", f"containers/{self._container(sandbox_id)}/wait", timeout=None)
        except aiodocker.DockerError as error:
            if error.status != 404:
                raise
        async with self._acting(sandbox_id):  # whoever ended it may be about to remove it
            return await self.status(sandbox_id)

    async def start_command(self, sandbox_id: str, spec: CommandSpec) -> None:
        box = await self._running(sandbox_id)
        account = users.find(box.passwd, spec.user or box.user)
        command = {
            "User": str(account.uid),
            "Cmd": wrapper.wrapped(spec.argv, spec.cwd or box.workdir or account.home),
            "Env": [f"{name}={value}" for name, value in self._environment(box, account, spec).items()],
            "AttachStdin": spec.attach_stdin,
            "AttachStdout": True,
            "AttachStderr": True,
            "Tty": False,
        }
        try:
            await self._commands.start(
                sandbox_id,
                spec.id,
                {
                    "engine": str(self._engine.path),
                    "container": self._container(sandbox_id),
                    "command": command,
                    "stdin": spec.attach_stdin,
                    "timeout_seconds": spec.timeout_seconds,
                    "most_bytes": MOST_OUTPUT_BYTES,
                    "pids": box.pids,
                },
            )
        except Refused as refusal:
            raise refused_command(refusal) from refusal

    async def _running(self, sandbox_id: str) -> Box:
        state = await self._state(sandbox_id)
        if state is None:
            raise SandboxNotFound(f"There is no sandbox {sandbox_id}.")
        box = self._boxes.recall(sandbox_id)
        if not state["Running"] or box is None:
            raise SandboxNotRunning(f"Sandbox {sandbox_id} does not run any more.")
        return box

    def _environment(self, box: Box, account: Account, spec: CommandSpec) -> dict[str, str]:
        own = {
            "PATH": SEARCH_PATH,
            "HOME": account.home,
            "USER": account.name,
            "LOGNAME": account.name,
            "SHELL": account.shell,
            "LANG": "C.UTF-8",
        }
        if self._ca_bundle is not None and self._ca_bundle.exists():
            own |= dict.fromkeys(CA_VARIABLES, CA_BUNDLE)
        return {**own, **box.image_environment, **box.environment, **spec.environment}

    async def _as_root(self, sandbox_id: str, argv: list[str]) -> str:
        """Run a short command as root, and return its output."""
        return (await self._engine.run(self._container(sandbox_id), argv))[1]

    async def _signal(self, sandbox_id: str, argv: list[str]) -> None:
        """Send a signal, also into a sandbox that is so full of processes that nothing else goes in."""
        name, box = self._container(sandbox_id), self._boxes.recall(sandbox_id)
        room = 0
        try:
            while (await self._engine.run(name, argv))[0] in wrapper.NOT_RUN and box is not None and room < _MOST_ROOM:
                room += 16
                await self._set_limits(name, {"PidsLimit": box.pids + room})
        finally:
            if room and box is not None:
                await self._set_limits(name, {"PidsLimit": box.pids})

    async def attach_command(self, sandbox_id: str, spec: CommandSpec, terminal: Terminal | None = None) -> Attached:
        box = await self._running(sandbox_id)
        account = users.find(box.passwd, spec.user or box.user)
        environment = self._environment(box, account, spec)
        if terminal is not None:
            environment = {"TERM": terminal.kind, **environment}
        exec_id, connection = await self._engine.execute(
            self._container(sandbox_id),
            wrapper.wrapped(spec.argv, spec.cwd or box.workdir or account.home, terminal=terminal is not None),
            user=str(account.uid),
            environment=environment,
            stdin=True,
            terminal=terminal is not None,
        )

        signal = partial(self._signal, sandbox_id)
        return await attach(self._engine, exec_id, connection, terminal, signal)

    async def connect(self, sandbox_id: str, port: int) -> socket.socket:
        await self._running(sandbox_id)
        return await connect(self._engine, self._container(sandbox_id), port)

    async def listen(self, sandbox_id: str, port: int) -> socket.socket:
        await self._running(sandbox_id)
        raise NotSupported(f"The docker provider cannot listen on port {port} inside; the crun provider can.")

    async def read_file(self, sandbox_id: str, path: str, *, user: User | None = None) -> AsyncIterator[bytes]:
        box = await self._running(sandbox_id)
        account = users.find(box.passwd, user or box.user)
        async for piece in files.read(self._engine, self._container(sandbox_id), account, path):
            yield piece

    async def write_file(
        self,
        sandbox_id: str,
        path: str,
        content: AsyncIterable[bytes],
        *,
        user: User | None = None,
        mode: int | None = None,
    ) -> None:
        box = await self._running(sandbox_id)
        account = users.find(box.passwd, user or box.user)
        await files.write(self._engine, self._container(sandbox_id), account, path, content, mode)

    def _acting(self, sandbox_id: str) -> asyncio.Lock:
        """Lock of a sandbox: one act at a time."""
        return self._acts.setdefault(sandbox_id, asyncio.Lock())
