"""Background builder of blueprints: builds and deletes images, and resumes both after a crash."""

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.blueprint.config import BuildConfig
from loopyard.blueprint.dockerfile import recipe
from loopyard.blueprint.inputs import Inputs
from loopyard.blueprint.logs import BuildLogs
from loopyard.blueprint.models import Blueprint
from loopyard.blueprint.repository import BlueprintRepository
from loopyard.blueprint.schemas import BlueprintBuildParameters
from loopyard.blueprint.services import image_id, login
from loopyard.blueprint.states import CREATED, UNFINISHED, Status
from loopyard.kit.background.tasks import Tasks
from loopyard.kit.clock import now_ms
from loopyard.kit.db.changes import Changes
from loopyard.kit.db.database import Database
from loopyard.kit.errors import LoopyardError
from loopyard.kit.host.failpoint import failpoint
from loopyard.launch.code_host import CodeHost, token_place
from loopyard.launch.image import ImageNotes
from loopyard.network_policy.enforcement import Enforcement
from loopyard.runtime.errors import RuntimeFault
from loopyard.runtime.images import BuildFailed, BuildFault, BuildSpec, ImageBuilder, ImageSettings
from loopyard.secret.held import HeldTokens
from loopyard.secret.repository import SecretRepository

log = logging.getLogger("loopyard.blueprint")


class BlueprintUsers(Protocol):
    """Devboxes as far as they are made from blueprints."""

    async def is_being_made_from_blueprint(self, session: AsyncSession, blueprint_id: str) -> bool:
        """True if a devbox is just being made from the blueprint."""
        ...


class BlueprintBuilder:
    """Builder of recorded blueprints. Each method opens its own transactions."""

    def __init__(
        self,
        database: Database,
        image_builder: ImageBuilder | None,
        policies: Enforcement,
        inputs: Inputs,
        tokens: HeldTokens,
        logs: BuildLogs,
        code_host: CodeHost,
        config: BuildConfig,
        changes: Changes,
        tasks: Tasks,
        users: BlueprintUsers,
    ) -> None:
        """`image_builder` is None where the runtime builds no images."""
        self.image_builder = image_builder
        self._database = database
        self._policies = policies
        self._inputs = inputs
        self._tokens = tokens
        self._logs = logs
        self._code_host = code_host
        self._config = config
        self._changes = changes
        self._tasks = tasks
        self._users = users
        self._turn = asyncio.Semaphore(config.at_once)
        self._running: dict[str, asyncio.Task[None]] = {}

    def begin(self, blueprint_id: str) -> None:
        """Start to build a blueprint that is written down as not finished."""
        self._tasks.start(f"build {blueprint_id}", self._build(blueprint_id))

    def drop(self, blueprint_id: str) -> None:
        """Stop the build of a blueprint that is written down as deleted, and free what the host holds of it."""
        self._tasks.start(f"unbuild {blueprint_id}", self._drop(blueprint_id))

    async def _build(self, blueprint_id: str) -> None:
        if self.image_builder is None:
            await self._end(blueprint_id, "build_failed", "This server's runtime builds no images.")
            return
        current = asyncio.current_task()
        assert current is not None  # noqa: S101
        self._running[blueprint_id] = current
        try:
            async with self._turn:
                if not await self._advance(blueprint_id, Status.PROVISIONING):
                    return
                failpoint("blueprint.provisioning")
                await self._work(self.image_builder, blueprint_id)
        finally:
            self._running.pop(blueprint_id, None)

    async def _work(self, builder: ImageBuilder, blueprint_id: str) -> None:
        folder: Path | None = None
        try:
            spec = await self._spec(blueprint_id)
            folder = spec.context
            if not await self._advance(blueprint_id, Status.BUILDING):
                return
            failpoint("blueprint.building")
            image = await builder.build(spec, lambda line: self._logs.add(blueprint_id, line))
            await self._make_services(builder, blueprint_id, spec)
            failpoint("blueprint.built")
            await self._end(blueprint_id, None, "The image is complete.", image)
        except BuildFailed as fault:
            await self._end(blueprint_id, fault.reason, str(fault))
        except (RuntimeFault, LoopyardError) as fault:
            await self._end(blueprint_id, "build_failed", str(fault))
        except Exception:
            log.exception("blueprint %s: the server failed at building it", blueprint_id)
            await self._end(blueprint_id, "build_failed", "The server failed; its log says why.")
        finally:
            await asyncio.to_thread(self._inputs.clear, folder)

    async def _make_services(self, builder: ImageBuilder, blueprint_id: str, spec: BuildSpec) -> None:
        """Make the images of the services, under the same limits and policy."""
        async with self._database.read() as session:
            blueprint = await BlueprintRepository(session).get_by_id(blueprint_id)
            tokens = await self._tokens.opened(session, blueprint_id)
        assert blueprint is not None  # noqa: S101
        for service in BlueprintBuildParameters.model_validate(blueprint.parameters).services or []:
            self._logs.add(blueprint_id, f"The image of service {service.name}: {service.image}")
            if service.options:
                self._logs.add(blueprint_id, f"The options of service {service.name} have no meaning here.", "warning")
            settings = await builder.build(
                BuildSpec(
                    id=image_id(blueprint_id, service.name),
                    dockerfile=f"FROM {service.image}\n",
                    account=spec.account,
                    limits=spec.limits,
                    network_policy=spec.network_policy,
                    timeout_seconds=spec.timeout_seconds,
                    login=login(service, tokens),
                ),
                lambda line: self._logs.add(blueprint_id, line),
            )
            if not settings.runs:
                message = f"The image of service {service.name} does not say what is to be run."
                raise BuildFailed("build_failed", message)

    async def _spec(self, blueprint_id: str) -> BuildSpec:
        async with self._database.read() as session:
            blueprint = await BlueprintRepository(session).get_by_id(blueprint_id)
            tokens = await self._tokens.opened(session, blueprint_id)
        assert blueprint is not None  # noqa: S101
        params = BlueprintBuildParameters.model_validate(blueprint.parameters)
        for index, mount in enumerate(params.code_mounts or []):
            mount.token = tokens.get(token_place(index))
        made = recipe(params, blueprint.base_blueprint_id, self._code_host, blueprint_id)
        return BuildSpec(
            id=blueprint_id,
            dockerfile=made.dockerfile,
            account=blueprint.account_id,
            context=await self._inputs.context(blueprint_id, params.build_context),
            files=made.files,
            images=(blueprint.base_blueprint_id,) if blueprint.base_blueprint_id else (),
            build_args=params.build_args or {},
            secrets=await self._inputs.secrets(blueprint.account_id, params.secrets or {}),
            hidden=made.hidden,
            limits=self._config.limits,
            network_policy=await self._policies.current(params.network_policy_id),
            timeout_seconds=self._config.timeout_seconds,
        )

    async def _advance(self, blueprint_id: str, status: Status) -> bool:
        """Write down how far it is; false if it was deleted meanwhile."""
        async with self._database.write() as session:
            blueprint = await BlueprintRepository(session).get_by_id_for_update(blueprint_id)
            if blueprint is None or blueprint.state != CREATED or blueprint.status not in UNFINISHED:
                return False
            if blueprint.status == Status.BUILDING:
                self._logs.add(blueprint_id, "The server was stopped while it built this; it begins anew.", "warning")
            blueprint.status = status
        self._changes.publish(blueprint_id)
        return True

    async def _end(
        self, blueprint_id: str, reason: BuildFault | None, message: str, image: ImageSettings | None = None
    ) -> None:
        self._logs.add(blueprint_id, message, "info" if reason is None else "error")
        async with self._database.write() as session:
            blueprint = await BlueprintRepository(session).get_by_id_for_update(blueprint_id)
            if blueprint is not None and blueprint.status in UNFINISHED:
                _finish(blueprint, reason, image)
                await SecretRepository(session).delete_tokens(blueprint_id)
        self._changes.publish(blueprint_id)

    async def _drop(self, blueprint_id: str) -> None:
        failpoint("blueprint.deleted")
        running = self._running.get(blueprint_id)
        if running is not None:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        await self._changes.wait_until(blueprint_id, lambda: self._may_go(blueprint_id), bool, None)
        if self.image_builder is not None:
            for one in await self.image_builder.images():
                if one.partition(".")[0] == blueprint_id:
                    await self.image_builder.delete(one)
            await self.image_builder.delete(blueprint_id)
        self._logs.delete(blueprint_id)
        async with self._database.write() as session:
            await BlueprintRepository(session).mark_reclaimed(blueprint_id)

    async def _may_go(self, blueprint_id: str) -> bool:
        async with self._database.read() as session:
            if await BlueprintRepository(session).is_being_built_on(blueprint_id):
                return False
            return not await self._users.is_being_made_from_blueprint(session, blueprint_id)

    async def reconcile(self) -> None:
        """At start: build what was not finished, and delete what was being deleted."""
        async with self._database.read() as session:
            blueprints = BlueprintRepository(session)
            unfinished, deleted = await blueprints.ids_unfinished(), await blueprints.ids_to_reclaim()
        for blueprint_id in unfinished:
            self.begin(blueprint_id)
        for blueprint_id in deleted:
            self.drop(blueprint_id)


def _finish(blueprint: Blueprint, reason: BuildFault | None, image: ImageSettings | None) -> None:
    blueprint.status = Status.COMPLETE if reason is None else Status.FAILED
    blueprint.failure_reason = reason
    blueprint.build_finish_time_ms = now_ms()
    blueprint.image = None if image is None else ImageNotes.of(image).stored
