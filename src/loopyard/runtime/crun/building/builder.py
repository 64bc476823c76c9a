"""Builds images from Dockerfiles: each RUN in a sandbox of its own, each step's changes kept as a layer."""

import asyncio
import hashlib
import logging
import sqlite3
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from loopyard.dockerfile.context import prune
from loopyard.dockerfile.errors import DockerfileError
from loopyard.dockerfile.frontend import Options, plan_dockerfile
from loopyard.kit.host.linux import tells_no_space
from loopyard.runtime.crun.building.bases import Bases
from loopyard.runtime.crun.building.buildah import BuildahFailed, Storage
from loopyard.runtime.crun.building.fetching import Fetcher
from loopyard.runtime.crun.building.finishing import finish
from loopyard.runtime.crun.building.keeping import ImagesKeeper
from loopyard.runtime.crun.building.layers import Layers
from loopyard.runtime.crun.building.means import Means, Place, StepRuntime
from loopyard.runtime.crun.building.merged import Merged
from loopyard.runtime.crun.building.removal import delete_folder
from loopyard.runtime.crun.building.running import HOSTNAME, Folders, StepRunner, step_prefix
from loopyard.runtime.crun.building.saying import without_paths
from loopyard.runtime.crun.building.solving import Solver, StepLocks
from loopyard.runtime.crun.building.unpacking import ImageFolder
from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.images import FILES_NAME, BuildFailed, BuildFault, BuildSpec, ImageSettings
from loopyard.runtime.layout import Layout, read_json, subfolders
from loopyard.runtime.protocol import ROOT, SandboxSpec

log = logging.getLogger("loopyard.runtime.building")


class CrunImageBuilder:
    """See the protocol of builders for what each method does and raises."""

    def __init__(
        self,
        runtime: StepRuntime,
        means: Callable[[], Means],
        where: Callable[[str], Place],
        layout: Layout,
        images: Path,
    ) -> None:
        """`means` tells what all builds use; `where` tells of a sandbox that runs where its processes are."""
        self._runtime = runtime
        self._means = means
        self._where = where
        self._layout = layout
        self._folder = layout.data / "builds"
        self._images = images
        self._storage = Storage(images)
        self._layers = Layers(images)
        self._in_progress = StepLocks()
        self._working: set[asyncio.Task[None]] = set()

    async def build(self, spec: BuildSpec, told: Callable[[str], None]) -> ImageSettings:
        self._prepare()
        work = self._folder / spec.id
        await asyncio.to_thread(delete_folder, work)
        work.mkdir(mode=0o700, parents=True)
        async with self._storage.in_use():
            try:
                await self._stop(spec.id)  # what a build that was cut off left
                async with asyncio.timeout(spec.timeout_seconds):
                    return await self._build(spec, work, told)
            except TimeoutError:
                message = f"The build took longer than {spec.timeout_seconds:g} seconds."
                raise BuildFailed("build_failed", message) from None
            except DockerfileError as fault:
                raise BuildFailed("build_failed", str(fault)) from fault
            except OSError as fault:
                log.warning("build %s: %s", spec.id, fault)
                said = fault.strerror or type(fault).__name__  # without the host's path
                raise BuildFailed(_reason(said), f"The host could not do a part of the build: {said}.") from fault
            except BuildFailed:
                raise
            except (RuntimeFault, sqlite3.Error) as fault:
                log.warning("build %s: %s", spec.id, fault)
                raise BuildFailed(_reason(str(fault)), without_paths(str(fault))) from fault
            finally:
                await asyncio.shield(self._leave(spec.id, work))

    def _prepare(self) -> None:
        # Images hold programs that run as root for whoever starts them: nobody else on the host is to get at them.
        self._images.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._images.chmod(0o700)
        for name in ("layers", "scratch"):
            (self._images / name).mkdir(mode=0o700, exist_ok=True)
        (self._images / "scratch").chmod(0o755)

    async def _build(self, spec: BuildSpec, work: Path, told: Callable[[str], None]) -> ImageSettings:
        # A thread: a hostile Dockerfile takes seconds of a processor's time.
        plan = await asyncio.to_thread(
            plan_dockerfile,
            spec.dockerfile,
            Options(build_args=dict(spec.build_args), contexts=frozenset({FILES_NAME})),
        )
        for warned in plan.warnings:
            told(f"{warned.place.file}:{warned.place.line}: warning: {warned.message}")
        context = _context(spec, work)
        await asyncio.to_thread(prune, context)
        memory = self._memory_of(spec.id)
        memory.mkdir(mode=0o700, parents=True, exist_ok=True)
        caches = self._images / "caches" / hashlib.sha256(spec.account.encode()).hexdigest()[:32]
        running = StepRunner(
            self._runtime, self._means(), self._where, self._layers, spec, Folders(work, memory, caches)
        )
        bases = Bases(self._storage, self._folder, spec)
        folder = ImageFolder(self._images)
        fetching = _FetcherOnDemand(self, spec, running, work, memory)
        solving = Solver(
            plan,
            spec,
            self._layers,
            bases,
            running,
            fetching.get,
            Merged((str(context),)),
            _files(spec, work),
            self._images / "scratch",
            self._in_progress,
            folder.begin,
            told,
        )
        try:
            result = await solving.solve()
            await asyncio.to_thread(self._layers.used, list(solving.keys))
            note = self._folder / f"{spec.id}.json"
            return await finish(self._storage, folder, result, solving.keys, spec.id, note, told)
        finally:
            bases.close()
            self._later(folder.close())
            if solving.made:
                self._later(asyncio.to_thread(self._layers.sync, list(solving.made)))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what nobody has to wait for."""
        working = asyncio.create_task(work)
        self._working.add(working)
        working.add_done_callback(self._working.discard)

    async def fetching_place(self, spec: BuildSpec, sandbox_id: str) -> Place:
        """Start a sandbox in whose network and under whose limits something is fetched."""
        await self._runtime.create(
            SandboxSpec(
                id=sandbox_id,
                limits=spec.limits,
                user=ROOT,
                hostname=HOSTNAME,
                network_policy=spec.network_policy,
            )
        )
        return self._where(sandbox_id)

    @property
    def ca_bundle(self) -> Path | None:
        return self._means().ca_bundle

    @property
    def storage(self) -> Storage:
        return self._storage

    async def delete(self, image_id: str) -> None:
        await self._leave(image_id, self._folder / image_id)
        (self._images / image_id).unlink(missing_ok=True)
        note = self._folder / f"{image_id}.json"
        known: dict[str, Any] = read_json(note) or {}
        tag = known.get("tag")
        note.unlink(missing_ok=True)
        if tag is not None:  # an older version built it
            async with self._storage.in_use():
                try:
                    await self._storage.remove(tag)
                except BuildahFailed as fault:
                    log.warning("image %s stays in the storage: %s", image_id, fault)
        await ImagesKeeper(self._storage).free_folders()  # where others build now, the next sweep does it

    async def images(self) -> set[str]:
        return {*subfolders(self._folder), *(file.stem for file in self._folder.glob("*.json"))}

    async def _leave(self, build_id: str, work: Path) -> None:
        await self._stop(build_id)
        await asyncio.to_thread(delete_folder, work)
        await asyncio.to_thread(delete_folder, self._memory_of(build_id))

    async def _stop(self, build_id: str) -> None:
        """End all sandboxes of a build; those of older versions have its own id."""
        prefix = step_prefix(build_id)
        found = [one for one in subfolders(self._layout.sandboxes) if one == build_id or one.startswith(prefix)]
        for sandbox_id in found:
            await self._runtime.destroy(sandbox_id)
            await self._runtime.forget(sandbox_id)

    def _memory_of(self, build_id: str) -> Path:
        return self._means().memory / build_id


class _FetcherOnDemand:
    """Starts the sandbox of a build that things are fetched in, when it is first needed."""

    def __init__(
        self, builder: CrunImageBuilder, spec: BuildSpec, running: StepRunner, work: Path, memory: Path
    ) -> None:
        self._builder = builder
        self._spec = spec
        self._running = running
        self._work = work
        self._memory = memory
        self._made: Fetcher | None = None
        self._turn = asyncio.Lock()

    async def get(self) -> Fetcher:
        async with self._turn:
            if self._made is None:
                place = await self._builder.fetching_place(self._spec, self._running.new_id())
                ca_bundle = self._builder.ca_bundle
                self._made = Fetcher(self._builder.storage, self._work, self._memory, place, ca_bundle)
            return self._made


def _context(spec: BuildSpec, work: Path) -> Path:
    """The folder of the build's context; an empty one where it has none."""
    if spec.context is not None:
        return spec.context
    empty = work / "context"
    empty.mkdir()
    return empty


def _files(spec: BuildSpec, work: Path) -> Merged:
    folder = work / "files"
    folder.mkdir()
    for name, content in spec.files.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o644)
    return Merged((str(folder),))


def _reason(said: str) -> BuildFault:
    return "out_of_disk" if tells_no_space(said) or "disk is full" in said.lower() else "build_failed"
