"""Carries out RUN: a command in a sandbox on the layers so far, and what it has changed as a layer."""

import asyncio
import contextlib
import json
import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from loopyard.dockerfile.plan import RunStep, Step
from loopyard.kit.host.linux import CA_VARIABLES, KILLED, tells_no_space
from loopyard.runtime.crun.building import cleaning, owners
from loopyard.runtime.crun.building.layers import Layer, Layers
from loopyard.runtime.crun.building.means import Means, Place, StepRuntime
from loopyard.runtime.crun.building.merged import Merged
from loopyard.runtime.crun.building.mounts import Files, Mounts
from loopyard.runtime.crun.building.saying import without_paths
from loopyard.runtime.crun.building.watching import Watch
from loopyard.runtime.crun.launcher.steps import StepGround
from loopyard.runtime.crun.sandbox.factory import Ground
from loopyard.runtime.errors import CommandStartFailed, SandboxNotRunning, SandboxStartFailed
from loopyard.runtime.images import BuildFailed, BuildSpec
from loopyard.runtime.protocol import ROOT, NetworkPolicy, SandboxSpec
from loopyard.runtime.syscalls import RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, files_owned_by, openat2

log = logging.getLogger("loopyard.runtime.building")

HOSTNAME = "build"
_LINE_BYTES = 1 << 16
_QUIET_SECONDS = 0.2
_MOST_SHOWN = 300
_AUTHORITIES = "/dev/.loopyard-ca-certificates.crt"
"""Where a step finds the host's certificate authorities: on a file system that leaves nothing in the image."""

_TRUSTING = (*CA_VARIABLES, "GIT_SSL_CAINFO")
_RESOLVE = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS


@dataclass(frozen=True, slots=True)
class Folders:
    """Of one build: `work` on the disk, `memory` in memory, and `caches` of its account."""

    work: Path
    memory: Path
    caches: Path


class StepRunner:
    """For one build."""

    def __init__(
        self,
        runtime: StepRuntime,
        means: Means,
        where: Callable[[str], Place],
        layers: Layers,
        spec: BuildSpec,
        folders: Folders,
    ) -> None:
        self._runtime = runtime
        self._means = means
        self._where = where
        self._layers = layers
        self._spec = spec
        self._folders = folders
        self._number = 0

    def new_id(self) -> str:
        """An id for a sandbox of this build."""
        self._number += 1
        return f"{step_prefix(self._spec.id)}{self._number}"

    async def run(self, step: RunStep, below: Merged, root: Path, files: Files, told: Callable[[str], None]) -> Layer:
        """Run a step on the layers `below`, of which `root` is the lowest.

        Raises:
            BuildFailed: It failed, or used more than it may.
        """
        account = owners.account(step.user, below)
        made = self._layers.begin()
        async with AsyncExitStack() as held:
            held.callback(self._layers.drop, made)
            copy_root(below, made / "upper")
            secrets = {**self._spec.secrets, **self._spec.hidden}
            mounts = Mounts(files, self._folders.caches, self._folders.memory, self._folders.work, secrets, held)
            parts = await mounts.prepare(step.mounts)
            stubs = await asyncio.to_thread(cleaning.missing_targets, below, [one["target"] for one in parts])
            sandbox_id = self.new_id()
            ground = self._folders.memory / f"{sandbox_id}.json"
            ground.write_text(json.dumps(StepGround(layers=list(below.layers), changes=str(made), mounts=parts)))
            held.callback(ground.unlink, missing_ok=True)
            policy = NetworkPolicy() if step.network == "none" else self._spec.network_policy
            spec = SandboxSpec(
                id=sandbox_id,
                limits=self._spec.limits,
                user=ROOT,
                hostname=HOSTNAME,
                network_policy=policy,
            )
            try:
                await self._runtime.create_step(spec, Ground(ground, root))
                await asyncio.to_thread(self._put_into, sandbox_id, step)
                watch = Watch([made / "upper", *mounts.written], self._spec.limits.disk_bytes)
                environment = self._environment(step, account.home, mounts.environment)
                status, last = await self._command(sandbox_id, step, account, environment, watch, told)
                out_of_memory = (await self._runtime.status(sandbox_id)).out_of_memory
            except (SandboxStartFailed, SandboxNotRunning, CommandStartFailed) as fault:
                log.warning("build %s: a step could not be started: %s", self._spec.id, fault)
                # Paths of commands are the image's, all others the host's.
                said = str(fault) if isinstance(fault, CommandStartFailed) else without_paths(str(fault))
                raise BuildFailed("build_failed", f"{shown(step)}: the step could not be started: {said}") from fault
            finally:
                await asyncio.shield(self._leave(sandbox_id))
            if watch.too_much:
                message = f"The build wrote more than {self._spec.limits.disk_bytes >> 30} GiB."
                raise BuildFailed("out_of_disk", message)
            if status != 0:
                raise _failure(step, status, last, out_of_memory=out_of_memory)
            upper = str(made / "upper")
            await asyncio.to_thread(cleaning.clean, upper, below, HOSTNAME, stubs)
            return await asyncio.to_thread(self._layers.complete, made)

    async def _leave(self, sandbox_id: str) -> None:
        await self._runtime.destroy(sandbox_id)
        await self._runtime.forget(sandbox_id)

    def _put_into(self, sandbox_id: str, step: RunStep) -> None:
        """Write what the step finds in `/dev` of its sandbox, in which nothing runs so far."""
        place = self._where(sandbox_id)
        top = os.open(f"/proc/{place.pid}/root", os.O_PATH | os.O_DIRECTORY)
        try:
            with files_owned_by(place.uid_base, place.uid_base):
                if self._means.ca_bundle is not None and self._trusts:
                    _create(top, _AUTHORITIES, self._means.ca_bundle.read_bytes(), 0o644)
                if step.script is not None:
                    _create(top, step.argv[0], step.script, 0o755)
        except OSError as error:
            raise CommandStartFailed(f"/dev is not as the step needs it: {error.strerror}") from error
        finally:
            os.close(top)

    @property
    def _trusts(self) -> bool:
        return self._means.ca_bundle is not None and self._means.ca_bundle.exists()

    def _environment(self, step: RunStep, home: str, more: Mapping[str, str]) -> dict[str, str]:
        given = {**dict(step.proxies), **dict(step.env), **dict(step.args)}
        trusting = dict.fromkeys(_TRUSTING, _AUTHORITIES) if self._trusts else {}
        return {"HOME": home, **trusting, **self._spec.secrets, **given, **more}

    async def _command(
        self,
        sandbox_id: str,
        step: RunStep,
        account: owners.Account,
        environment: Mapping[str, str],
        watch: Watch,
        told: Callable[[str], None],
    ) -> tuple[int, str]:
        """Run it to its end. Returns its exit status, and its last line."""
        argv, cwd = list(step.argv), step.workdir or "/"
        command = await self._runtime.attach_step(sandbox_id, account, argv, cwd, environment)
        os.close(command.stdin)
        assert command.stderr is not None  # noqa: S101
        streams = [command.stdout, command.stderr]
        lines = Lines(told)
        reading = [asyncio.create_task(_read(stream, lines)) for stream in streams]
        watching = asyncio.create_task(watch.run())
        ending = asyncio.create_task(command.wait())
        try:
            await asyncio.wait({ending, watching}, return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                return KILLED, ""
            await lines.settle(reading)
            return ending.result(), lines.last
        finally:
            for task in (*reading, watching, ending):
                task.cancel()
            await asyncio.wait([*reading, watching, ending])
            lines.end()
            for stream in streams:
                os.close(stream)


def _create(top: int, path: str, content: bytes, mode: int) -> None:
    """Write a file in a sandbox whose root folder is `top`. Links of the image, which is hostile, lead nowhere."""
    folder, _, name = path.lstrip("/").rpartition("/")
    at = openat2(top, ".", os.O_PATH | os.O_DIRECTORY, 0, _RESOLVE)
    try:
        for part in folder.split("/"):
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, 0o755, dir_fd=at)
            below = openat2(at, part, os.O_PATH | os.O_DIRECTORY, 0, _RESOLVE)
            os.close(at)
            at = below
        file = openat2(at, name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, _RESOLVE)
    finally:
        os.close(at)
    with os.fdopen(file, "wb") as opened:
        opened.write(content)
        os.fchmod(file, mode)


class Lines:
    """Passes on whole lines of one step's output."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told
        self._rest: dict[int, bytes] = {}
        self._chunks = 0
        self.last = ""

    def add(self, stream: int, chunk: bytes) -> None:
        *lines, rest = re.split(rb"\r?\n|\r", self._rest.get(stream, b"") + chunk)
        if len(rest) > _LINE_BYTES:
            lines, rest = [*lines, rest], b""
        self._rest[stream] = rest
        self._chunks += 1
        for line in lines:
            self._tell(line)

    async def settle(self, reading: Sequence[asyncio.Task[None]]) -> None:
        """Wait until all is read that the command has written. What it left in the background may hold its streams
        open; that ends with the sandbox."""
        seen = -1
        while seen != self._chunks:
            seen = self._chunks
            if not (await asyncio.wait(reading, timeout=_QUIET_SECONDS))[1]:
                return

    def end(self) -> None:
        for rest in self._rest.values():
            if rest:
                self._tell(rest)
        self._rest.clear()

    def _tell(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()
        self.last = text or self.last
        self._told(text)


async def _read(stream: int, lines: Lines) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(stream, ready.set)
    try:
        while True:
            try:
                chunk = os.read(stream, _LINE_BYTES)
            except BlockingIOError:
                ready.clear()
                await ready.wait()
                continue
            if not chunk:
                return
            lines.add(stream, chunk)
            await asyncio.sleep(0)
    finally:
        loop.remove_reader(stream)


def _failure(step: RunStep, status: int, last: str, *, out_of_memory: bool) -> BuildFailed:
    if out_of_memory:
        return BuildFailed("out_of_memory", "The build used all the memory it may.")
    place = step.place
    reason = "out_of_disk" if tells_no_space(last) else "build_failed"
    text = f"{place.file}:{place.line}:{place.column}: {shown(step)}: exit status {status}"
    return BuildFailed(reason, f"{text}: {last}" if last else text)


def copy_root(below: Merged, upper: Path) -> None:
    """Give a new layer's folder what the root folder of the image has."""
    root = below.root()
    os.chown(upper, root.status.st_uid, root.status.st_gid)
    upper.chmod(root.mode)


def shown(step: Step) -> str:
    """A step in one line of some length."""
    return step.shown if len(step.shown) <= _MOST_SHOWN else f"{step.shown[:_MOST_SHOWN]}…"


def step_prefix(build_id: str) -> str:
    """Give what the ids of the sandboxes of a build begin with."""
    return f"{build_id}.step."
