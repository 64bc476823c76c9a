"""Builds images by the engine: by its classic builder, or by BuildKit where a Dockerfile needs that."""

import asyncio
import io
import logging
import shutil
import tarfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import aiodocker
import aiohttp

from loopyard.dockerfile import DockerfileError, Options, expand, plan_dockerfile
from loopyard.dockerfile.context import prune
from loopyard.dockerfile.plan import SCRATCH, ExpandedStage, ImageRef, Plan, StageRef
from loopyard.runtime.docker import container
from loopyard.runtime.docker.building import buildkit, classic
from loopyard.runtime.docker.building.bases import Bases, WithLogin
from loopyard.runtime.docker.building.lowering import LABEL, Lowered, Surroundings, account_key, lower
from loopyard.runtime.docker.building.mounts import Secrets
from loopyard.runtime.docker.building.settings import settings_of
from loopyard.runtime.docker.engine import Engine
from loopyard.runtime.docker.tags import Tags
from loopyard.runtime.images import FILES_NAME, BuildFailed, BuildSpec, ImageSettings
from loopyard.runtime.layout import subfolders
from loopyard.runtime.memory import memory_folder

log = logging.getLogger("loopyard.runtime.building")

_UNLIMITED = "This build goes without limits of memory and CPU: BuildKit in the engine has none."


class DockerImageBuilder:
    """See the protocol of builders for what each method does and raises."""

    def __init__(self, engine: Engine, server: str, data: Path, base: str, network: str, client: str | None) -> None:
        """`client` is the program that builds by BuildKit; None leaves all to the classic builder."""
        self._engine = engine
        self._server = server
        self._folder = data / "builds"
        self._base = base
        self._network = network
        self._client = client
        self._made = Tags(engine, server, "image")
        self._held = Tags(engine, server, "held")
        self._with_login = WithLogin(data / "images-with-login.json")

    async def open(self) -> None:
        """Clear away what builds of a server that was killed have left in the engine."""
        for image_id in await self._held.all():
            await self._held.take_away(image_id)
        filters = f'{{"label": ["{LABEL}={self._server}"]}}'
        rows: list[dict[str, Any]] = await self._engine.ask(
            "GET", "containers/json", params={"all": "true", "filters": filters}
        )
        for row in rows:
            if container.SANDBOX_LABEL not in row["Labels"]:
                await self._engine.ask("DELETE", f"containers/{row['Id']}?force=true&v=true")

    def name(self, image_id: str) -> str:
        """The engine's name of an image that was built."""
        return self._made.name(image_id)

    async def images(self) -> set[str]:
        return await self._made.all() | set(subfolders(self._folder))

    async def delete(self, image_id: str) -> None:
        await self._leave(image_id)
        await self._made.delete(image_id)

    async def build(self, spec: BuildSpec, told: Callable[[str], None]) -> ImageSettings:
        if not container.can_enforce(spec.network_policy):
            message = "The docker provider can open the network of a build or close it; the crun provider knows rules."
            raise BuildFailed("build_failed", message)
        try:
            await self._leave(spec.id)  # what a build that was cut off left
            work = self._folder / spec.id
            work.mkdir(mode=0o700, parents=True)
            async with asyncio.timeout(spec.timeout_seconds):
                return await self._build(spec, work, told)
        except TimeoutError:
            message = f"The build took longer than {spec.timeout_seconds:g} seconds."
            raise BuildFailed("build_failed", message) from None
        except DockerfileError as fault:
            raise BuildFailed("build_failed", str(fault)) from fault
        except (aiodocker.DockerError, aiohttp.ClientError) as fault:
            raise BuildFailed("build_failed", f"The engine could not do its part of the build: {fault}") from fault
        except OSError as fault:
            log.warning("build %s: %s", spec.id, fault)
            said = fault.strerror or type(fault).__name__  # without the host's path
            raise BuildFailed("build_failed", f"The host could not do a part of the build: {said}.") from fault
        finally:
            await asyncio.shield(self._leave_or_tell(spec.id))

    async def _build(self, spec: BuildSpec, work: Path, told: Callable[[str], None]) -> ImageSettings:
        # A thread: a hostile Dockerfile takes seconds of a processor's time.
        options = Options(build_args=dict(spec.build_args), contexts=frozenset({FILES_NAME}))
        plan = await asyncio.to_thread(plan_dockerfile, spec.dockerfile, options)
        for warned in plan.warnings:
            told(f"{warned.place.file}:{warned.place.line}: warning: {warned.message}")
        bases = Bases(self._engine, self._base, self._made, self._held, self._with_login, spec, told)
        stages = await _expanded(plan, bases)
        context = work / "context"
        if spec.context is None:
            context.mkdir()
        else:
            context = spec.context
            await asyncio.to_thread(prune, context)
        # Arguments of BuildKit's own could have it run another frontend.
        build_args = {name: value for name, value in spec.build_args.items() if not name.startswith("BUILDKIT_")}
        secrets = Secrets(spec.secrets, {**spec.secrets, **spec.hidden})
        files_image = self._held.name(f"{spec.id}-files")
        around = Surroundings(self._server, account_key(spec.account), bases.names, build_args, files_image)
        lowered = await asyncio.to_thread(lower, plan, stages, around, secrets, spec.files)
        if lowered.files:
            await self._hold_files(spec.id, lowered.files)
        await self._run(spec, lowered, lowered.text(plan.escape), context, work, build_args, secrets, told)
        try:
            return await settings_of(self._engine, self.name(spec.id), self._server)
        except BuildFailed:
            await self._made.delete(spec.id)
            raise

    async def _run(
        self,
        spec: BuildSpec,
        lowered: Lowered,
        text: str,
        context: Path,
        work: Path,
        build_args: Mapping[str, str],
        secrets: Secrets,
        told: Callable[[str], None],
    ) -> None:
        closed = container.is_closed(spec.network_policy)
        image = self.name(spec.id)
        if lowered.for_buildkit is None:
            network = "none" if closed else self._network
            await classic.build(
                self._engine, lowered, text, context, work, image, build_args, spec.limits, network, told
            )
            return
        if self._client is None:
            raise lowered.for_buildkit
        told(_UNLIMITED)
        memory = self._memory(spec.id)
        await buildkit.build(
            self._client,
            self._engine,
            lowered,
            text,
            context,
            work,
            memory,
            image,
            build_args,
            secrets.given,
            "none" if closed else "default",
            told,
        )

    async def _hold_files(self, image_id: str, files: Mapping[str, bytes]) -> None:
        """Make an image of some files, which steps can copy or mount."""
        packed = await asyncio.to_thread(_packed, files)
        params = {"fromSrc": "-", "repo": self._held.repository, "tag": f"{image_id}-files"}
        said = await self._engine.ask("POST", "images/create", params=params, data=packed, timeout=None)
        if not await self._held.has(f"{image_id}-files"):
            raise BuildFailed("build_failed", f"The engine did not take the files of the build: {str(said)[-200:]}")

    def _memory(self, image_id: str) -> Path:
        return memory_folder(f"{self._server}/builds/{image_id}")

    async def _leave_or_tell(self, image_id: str) -> None:
        try:
            await self._leave(image_id)
        except (aiodocker.DockerError, aiohttp.ClientError, OSError) as fault:
            log.warning("build %s: what it held is left to the next start: %s", image_id, fault)

    async def _leave(self, image_id: str) -> None:
        """Free all that a build holds besides its image."""
        for tag in await self._held.all():
            if tag.rpartition("-")[0] == image_id:
                await self._held.take_away(tag)
        remove = partial(shutil.rmtree, ignore_errors=True)
        await asyncio.to_thread(remove, self._memory(image_id))
        await asyncio.to_thread(remove, self._folder / image_id)


async def _expanded(plan: Plan, bases: Bases) -> dict[int, ExpandedStage]:
    """The steps of all stages that are needed."""
    stages: dict[int, ExpandedStage] = {}
    for index in plan.needed:
        stage = plan.stages[index]
        config = SCRATCH
        if isinstance(stage.base, ImageRef):
            config = await bases.config(stage.base.name)
        elif isinstance(stage.base, StageRef):
            config = stages[stage.base.index].config
        expanded = await asyncio.to_thread(expand, plan, stage, config)
        for name in expanded.images:
            await bases.config(name)
        stages[index] = expanded
    return stages


def _packed(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o755 if name.startswith("script-") else 0o644
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
