"""Builds the stages of a Dockerfile: each step is taken from the cache, or carried out and kept there."""

import asyncio
import contextlib
import hashlib
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loopyard.dockerfile.frontend import expand
from loopyard.dockerfile.identity import identity
from loopyard.dockerfile.oci import from_oci
from loopyard.dockerfile.plan import (
    DEFAULT_PATH,
    SCRATCH,
    BindMount,
    CacheMount,
    ContextRef,
    CopyStep,
    ExpandedStage,
    ImageConfig,
    ImageRef,
    NamedContextRef,
    Origin,
    Plan,
    RunStep,
    ScratchRef,
    StageRef,
    Step,
    WorkdirStep,
)
from loopyard.dockerfile.selection import subtree
from loopyard.runtime.crun.building.bases import Base, Bases
from loopyard.runtime.crun.building.copy_sources import CopySources
from loopyard.runtime.crun.building.copying import Copier
from loopyard.runtime.crun.building.fetching import Fetcher
from loopyard.runtime.crun.building.layers import Layer, Layers
from loopyard.runtime.crun.building.merged import Merged
from loopyard.runtime.crun.building.running import StepRunner, copy_root, shown
from loopyard.runtime.images import FILES_NAME, BuildFailed, BuildSpec

_AT_ONCE = 2
"""How many steps of one build are carried out at the same time, in stages that do not need each other."""

_SCRATCH = "scratch"


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a stage so far, or of an image: layers, from the top, over the folder `root`."""

    key: str
    layers: tuple[str, ...]
    root: Path

    @property
    def merged(self) -> Merged:
        return Merged((*self.layers, str(self.root)))


@dataclass(frozen=True, slots=True)
class Result:
    """A stage that is complete; `base` is what the image that it begins with says of itself."""

    files: Files
    config: ImageConfig
    base: ImageConfig


class StepLocks:
    """Keeps builds of one server from doing the same step twice at the same time."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @contextlib.asynccontextmanager
    async def alone(self, key: str) -> AsyncGenerator[None]:
        """While nobody else works on this step."""
        lock, users = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks.pop(key)
            if users > 1:
                self._locks[key] = (lock, users - 1)


class Solver:
    """For one build. `contexts` are the folders that COPY finds by name; `fetching` gives what fetches from elsewhere,
    for which a sandbox is started."""

    def __init__(
        self,
        plan: Plan,
        spec: BuildSpec,
        layers: Layers,
        bases: Bases,
        running: StepRunner,
        fetching: Callable[[], Awaitable[Fetcher]],
        context: Merged,
        files: Merged,
        scratch: Path,
        in_progress: StepLocks,
        missed: Callable[[Path], None],
        told: Callable[[str], None],
    ) -> None:
        """`missed` is told, once a step is not in the cache, which folder the image will stand on."""
        self._plan = plan
        self._spec = spec
        self._layers = layers
        self._bases = bases
        self._running = running
        self._fetching = fetching
        self._context = context
        self._files = files
        self._scratch = scratch
        self._in_progress = in_progress
        self._missed = missed
        self._told = told
        self._sources = CopySources(fetching, spec.limits.disk_bytes)
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._stages: dict[int, asyncio.Task[Result]] = {}
        self._expanded: dict[int, ExpandedStage] = {}
        self._configs: dict[int, ImageConfig] = {}
        """Configurations of the bases of stages."""
        self.keys: set[str] = set()
        """Keys of the cache's rows that this build has used."""
        self.made: set[str] = set()
        """Keys among them that are new."""

    async def solve(self) -> Result:
        """Build the stage that is wanted, and those that it needs.

        Raises:
            BuildFailed, DockerfileError.
        """
        await self._expand()
        for index in self._expanded:
            self._begin(index)
        wanted = self._begin(self._plan.target)
        try:
            pending: set[asyncio.Task[Result]] = set(self._stages.values())
            while not wanted.done():
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_EXCEPTION)
                for task in done:
                    task.result()
                pending |= {task for task in self._stages.values() if not task.done()}
            return wanted.result()
        finally:
            for task in self._stages.values():
                task.cancel()
            await asyncio.gather(*self._stages.values(), return_exceptions=True)

    def _begin(self, index: int) -> asyncio.Task[Result]:
        if index not in self._stages:
            self._stages[index] = asyncio.create_task(self._stage(index))
        return self._stages[index]

    async def _expand(self) -> None:
        """Read the steps of all stages: what is wrong with any of them is told before the first one is carried out."""
        for index in self._plan.needed:
            await self._expand_stage(index)

    async def _expand_stage(self, index: int) -> None:
        if index in self._expanded:
            return
        stage = self._plan.stage(index)
        config = SCRATCH
        if isinstance(stage.base, StageRef):
            await self._expand_stage(stage.base.index)
            config = self._expanded[stage.base.index].config
        elif isinstance(stage.base, ImageRef):
            found = await self._bases.find(stage.base.name, self._fetching, self._told)
            config = _with_path(from_oci(found.config))
        expanded = self._expanded[index] = await asyncio.to_thread(expand, self._plan, stage, config)
        self._configs[index] = config
        for warned in expanded.warnings:
            self._told(f"{warned.place.file}:{warned.place.line}: warning: {warned.message}")
        for name in expanded.images:
            await self._bases.find(name, self._fetching, self._told)
        for one in expanded.needs:  # also stages that only triggers of ONBUILD use
            await self._expand_stage(one)

    async def _stage(self, index: int) -> Result:
        stage, expanded = self._plan.stage(index), self._expanded[index]
        label = f"[{stage.name or f'stage {index}'}] " if len(self._expanded) > 1 else ""
        base = stage.base
        if isinstance(base, StageRef):
            files = (await asyncio.shield(self._begin(base.index))).files
        elif isinstance(base, ImageRef):
            files = _files(await self._bases.find(base.name, self._fetching, self._told))
        else:
            files = Files(_SCRATCH, (), self._scratch)
        self._told(f"{label}{stage.place.text.strip().splitlines()[0]}")
        for number, step in enumerate(expanded.steps, 1):
            self._told(f"{label}STEP {number}/{len(expanded.steps)}: {shown(step)}")
            try:
                files = await self._step(step, files, label)
            except BuildFailed as fault:
                raise _placed(fault, step) from fault
        return Result(files, expanded.config, self._configs[index])

    async def _step(self, step: Step, below: Files, label: str) -> Files:
        def told(line: str) -> None:
            self._told(f"{label}{line}")

        if isinstance(step, CopyStep):
            key, layer = await self._copy(step, below, told)
        elif isinstance(step, RunStep):
            key = _key(below.key, identity(step), *(await self._mounted(step)), *self._whose())
            layer = await self._cached(key, told, lambda: self._run(step, below, told))
        elif isinstance(step, WorkdirStep):
            key = _key(below.key, identity(step))
            layer = await self._cached(key, told, lambda: self._write(below, lambda one: one.make_workdir(step)))
        else:
            key = _key(below.key, identity(step))
            layer = await self._cached(key, told, _nothing)
        return replace(below, key=key, layers=(self._layers.path(layer), *below.layers) if layer else below.layers)

    async def _cached(
        self, key: str, told: Callable[[str], None], work: Callable[[], Coroutine[Any, Any, Layer]]
    ) -> Layer:
        """The layer of a step: from the cache, or made now."""
        self.keys.add(key)
        if (found := await asyncio.to_thread(self._layers.find, key)) is None:
            async with self._in_progress.alone(key):
                if (found := await asyncio.to_thread(self._layers.find, key)) is None:
                    self._missed(await self._bottom())
                    made = await work()
                    self.made.add(key)
                    return await asyncio.to_thread(self._layers.keep, key, made)
        told(f"--> Using cache {key[:12]}")
        return found

    async def _bottom(self) -> Path:
        """Find the folder that the wanted image stands on."""
        base = self._plan.stage(self._plan.target).base
        while isinstance(base, StageRef):
            base = self._plan.stage(base.index).base
        if not isinstance(base, ImageRef):
            return self._scratch
        return (await self._bases.find(base.name, self._fetching, self._told)).root

    async def _run(self, step: RunStep, below: Files, told: Callable[[str], None]) -> Layer:
        async with self._turn:
            return await self._running.run(step, below.merged, below.root, self._origin_files, told)

    def _whose(self) -> tuple[str, ...]:
        """Give what a step sees of secrets stays with the account that has them."""
        return (self._spec.account,) if self._spec.secrets or self._spec.hidden else ()

    async def _mounted(self, step: RunStep) -> list[str]:
        """Give what of the files that a RUN has mounted decides its result."""
        found: list[str] = []
        for mount in step.mounts:
            if isinstance(mount, BindMount):
                if isinstance(mount.origin, StageRef | ImageRef):
                    found.append((await self._origin(mount.origin)).key)
                else:
                    inside = subtree(await self._origin_files(mount.origin), mount.source)
                    found.append(await asyncio.to_thread(self._sources.digest, inside))
            elif isinstance(mount, CacheMount) and mount.origin is not None:
                await self._origin_files(mount.origin)  # it is there before this step takes its turn
        return found

    async def _origin_files(self, origin: Origin) -> Merged:
        if isinstance(origin, ContextRef):
            return self._context
        if isinstance(origin, NamedContextRef):
            if origin.name != FILES_NAME:
                raise BuildFailed("build_failed", f"There is no context {origin.name}.")
            return self._files
        return (await self._origin(origin)).merged

    async def _origin(self, origin: Origin) -> Files:
        if isinstance(origin, StageRef):
            return (await asyncio.shield(self._begin(origin.index))).files
        if isinstance(origin, ImageRef):
            return _files(await self._bases.find(origin.name, self._fetching, self._told))
        assert isinstance(origin, ScratchRef)  # noqa: S101
        return Files(_SCRATCH, (), self._scratch)

    async def _copy(self, step: CopyStep, below: Files, told: Callable[[str], None]) -> tuple[str, Layer]:
        named = identity(step)
        quick = None
        if isinstance(step.origin, StageRef | ImageRef):
            quick = _key(below.key, named, (await self._origin(step.origin)).key)
            known = await asyncio.to_thread(self._layers.alias, quick)
            if known is not None and (layer := await asyncio.to_thread(self._layers.find, known)) is not None:
                self.keys |= {quick, known}
                told(f"--> Using cache {known[:12]}")
                return known, layer
        given, parts = await self._sources.find(step, await self._origin_files(step.origin), below.merged, told)
        key = _key(below.key, named, *parts)
        layer = await self._cached(key, told, lambda: self._write(below, lambda one: one.copy(step, given)))
        if quick is not None:
            self.keys.add(quick)
            await asyncio.to_thread(self._layers.keep_alias, quick, key)
        return key, layer

    async def _write(self, below: Files, work: Callable[[Copier], None]) -> Layer:
        made = self._layers.begin()
        stopped = threading.Event()

        def write() -> Layer:
            copy_root(below.merged, made / "upper")
            work(Copier(made / "upper", below.merged, self._spec.limits.disk_bytes, stopped))
            return self._layers.complete(made)

        writing = asyncio.ensure_future(asyncio.to_thread(write))
        try:
            return await asyncio.shield(writing)
        except BaseException:
            stopped.set()
            with contextlib.suppress(Exception):
                await writing
            await asyncio.to_thread(self._layers.drop, made)
            raise


def _with_path(config: ImageConfig) -> ImageConfig:
    """The configuration of a base as steps begin with it: there is always a PATH."""
    if any(name == "PATH" for name, _ in config.env):
        return config
    return replace(config, env=(("PATH", DEFAULT_PATH), *config.env))


def _placed(fault: BuildFailed, step: Step) -> BuildFailed:
    """The same fault, beginning with the place of its step."""
    place = f"{step.place.file}:{step.place.line}:{step.place.column}: "
    if fault.reason != "build_failed" or str(fault).startswith(place):
        return fault
    return BuildFailed(fault.reason, f"{place}{fault}")


async def _nothing() -> Layer:
    return Layer("")


def _files(base: Base) -> Files:
    return Files(base.key, (), base.root)


def _key(*parts: str) -> str:
    """Give what a row of the cache is found by."""
    hashed = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        hashed.update(len(encoded).to_bytes(8, "big") + encoded)
    return hashed.hexdigest()
