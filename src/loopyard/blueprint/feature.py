"""The feature of blueprints and their builds."""

from typing import Protocol

from loopyard.account.limits import AccountLimits
from loopyard.blueprint.builder import BlueprintBuilder, BlueprintUsers
from loopyard.blueprint.config import BuildConfig
from loopyard.blueprint.endpoints import router
from loopyard.blueprint.inputs import Inputs
from loopyard.blueprint.leftovers import BuildsKeeper
from loopyard.blueprint.logs import BuildLogs
from loopyard.blueprint.service import BlueprintService
from loopyard.feature import Feature, Reconciler, Routes, Server, Traffic
from loopyard.launch.code_host import CodeHost
from loopyard.network_policy.enforcement import Enforcement
from loopyard.object.store import ObjectStore
from loopyard.runtime.images import BuildsImages
from loopyard.secret.held import HeldTokens
from loopyard.secret.service import SecretService


class BlueprintSettings(Protocol):
    """Settings that this feature reads."""

    builds: BuildConfig


def build(server: Server, settings: BlueprintSettings) -> Feature:
    """Build the builder of blueprints and its service."""
    tokens, code_host = server.get(HeldTokens), server.get(CodeHost)
    logs = server.offer(BuildLogs, BuildLogs(server.data_dir / "build-logs"))
    inputs = Inputs(server.get(SecretService), server.get(ObjectStore), server.data_dir / "build-contexts")
    image_builder = server.runtime.image_builder if isinstance(server.runtime, BuildsImages) else None
    builder = BlueprintBuilder(
        server.database,
        image_builder,
        server.get(Enforcement),
        inputs,
        tokens,
        logs,
        code_host,
        settings.builds,
        server.changes,
        server.tasks,
        server.get(BlueprintUsers),
    )
    server.offer(BlueprintService, BlueprintService(builder, tokens, code_host, server.get(AccountLimits)))
    return Feature(
        routers=[Routes(router, Traffic.NORMAL)],
        # Devboxes are what callers wait for; builds that were interrupted begin after them.
        reconcilers=[Reconciler("blueprints", builder.reconcile, after=("devboxes",))],
        collectors=[BuildsKeeper(server.database, image_builder, logs, inputs)],
    )
