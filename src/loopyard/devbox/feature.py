"""The feature of devboxes: their life, commands and files."""

from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.account.limits import AccountLimits
from loopyard.agent.layer.layers import Layers
from loopyard.devbox.create.quota import DevboxQuota
from loopyard.devbox.endpoints import router
from loopyard.devbox.eviction.endpoints import router as eviction_router
from loopyard.devbox.execution.endpoints import router as execution_router
from loopyard.devbox.execution.engine import ExecutionEngine
from loopyard.devbox.execution.service import ExecutionService
from loopyard.devbox.files.endpoints import router as file_router
from loopyard.devbox.files.service import DevboxFiles
from loopyard.devbox.lifecycle.activity import Activity
from loopyard.devbox.lifecycle.auto_resume import AutoResume
from loopyard.devbox.lifecycle.bring_up import BringUp
from loopyard.devbox.lifecycle.companions import Companions
from loopyard.devbox.lifecycle.initialize import Initializer
from loopyard.devbox.lifecycle.lifecycle import Lifecycle
from loopyard.devbox.lifecycle.progress import Progress
from loopyard.devbox.lifecycle.reaper import INTERVAL_SECONDS, Reaper
from loopyard.devbox.lifecycle.reconcile import DevboxReconciler
from loopyard.devbox.lifecycle.sandbox import SandboxMaker
from loopyard.devbox.lifecycle.setup import LaunchSteps
from loopyard.devbox.lifecycle.shutdown import Endings
from loopyard.devbox.lifecycle.suspension import Suspension
from loopyard.devbox.lifecycle.teardown import Teardown
from loopyard.devbox.lifecycle.watch import DevboxWatch
from loopyard.devbox.log.endpoints import router as log_router
from loopyard.devbox.log.events import Events
from loopyard.devbox.log.service import LogService
from loopyard.devbox.models import Devbox
from loopyard.devbox.mounts.agents import AgentMounts
from loopyard.devbox.mounts.objects import ObjectMounts
from loopyard.devbox.service import DevboxService
from loopyard.devbox.usage.history import UsageHistory
from loopyard.feature import BackgroundTask, Feature, Reconciler, Routes, Server, Traffic
from loopyard.kit.background.periodic import Periodic
from loopyard.launch.code_host import CodeHost
from loopyard.launch.parameters import LaunchParameters
from loopyard.network_policy.enforcement import Enforcement
from loopyard.object.store import ObjectStore
from loopyard.runtime.protocol import SandboxSpec
from loopyard.runtime.readiness import KeepsReady
from loopyard.secret.held import HeldTokens
from loopyard.secret.service import SecretService
from loopyard.upstream_proxy.grants import Grants


class DevboxSettings(Protocol):
    """Settings that this feature reads."""

    code_host: str


def build(server: Server, settings: DevboxSettings) -> Feature:
    """Build the lifecycle of devboxes, and the services around it."""
    database, runtime = server.database, server.runtime
    events, policies, tokens = server.get(Events), server.get(Enforcement), server.get(HeldTokens)
    grants, quota = server.get(Grants), DevboxQuota(server.get(AccountLimits))
    code_host = server.offer(CodeHost, CodeHost(settings.code_host))
    executions = server.offer(ExecutionEngine, ExecutionEngine(database, runtime, server.changes, server.tasks))
    steps = LaunchSteps(
        runtime, executions, code_host, events, ObjectMounts(runtime, executions, server.get(ObjectStore))
    )
    reconciler = _build_lifecycle(server, steps, executions, quota)
    lifecycle, endings = server.get(Lifecycle), server.get(Endings)
    devboxes = DevboxService(lifecycle, server.get(Companions), endings, tokens, policies, grants, quota)
    server.offer(DevboxService, devboxes)
    server.get(Teardown).add_hook(server.get(UsageHistory).forget)
    server.offer(LogService, LogService(database, runtime, devboxes))
    server.offer(ExecutionService, ExecutionService(database, runtime, devboxes, executions))
    server.offer(DevboxFiles, DevboxFiles(database, runtime, devboxes, events))
    activity = server.offer(Activity, Activity(database))
    reaper = Reaper(database, lifecycle, endings, server.changes)
    reaping = Periodic("looking for expired devboxes", reaper.sweep, every=INTERVAL_SECONDS)

    async def keep_warm_pool() -> None:
        if isinstance(runtime, KeepsReady):
            runtime.keep_ready(SandboxSpec(id="", limits=LaunchParameters().limits))

    return Feature(
        routers=[
            Routes(execution_router, Traffic.HIGH),
            Routes(file_router, Traffic.NORMAL),
            Routes(eviction_router, Traffic.NORMAL),
            Routes(log_router, Traffic.NORMAL),
            Routes(router, Traffic.NORMAL),
        ],
        reconcilers=[
            Reconciler("executions", executions.reconcile),
            # A devbox that is taken up waits for its own commands, and is made again with the layers of its agents.
            Reconciler("devboxes", reconciler.reconcile, after=("executions", "agent layers", "upstream calls")),
        ],
        openers=[keep_warm_pool],
        tasks=[
            BackgroundTask("activity", activity.run),
            BackgroundTask("reaper", reaping.run),
        ],
        flushes=[server.get(Teardown).settle],
    )


def _build_lifecycle(
    server: Server, steps: LaunchSteps, executions: ExecutionEngine, quota: DevboxQuota
) -> DevboxReconciler:
    """Build everything that carries out decisions about devboxes, and offer what others use of it."""
    database, runtime, changes, tasks = server.database, server.runtime, server.changes, server.tasks
    events, grants, tokens = server.get(Events), server.get(Grants), server.get(HeldTokens)
    teardown = server.offer(Teardown, Teardown(database, runtime, changes, tasks))
    endings = server.offer(Endings, Endings(teardown.begin))
    companions = server.offer(Companions, Companions())

    async def end_grants(session: AsyncSession, devbox: Devbox) -> None:
        if devbox.has_grants:
            await grants.end(session, devbox.id)

    endings.add_listener(end_grants)
    progress = Progress(database, changes, endings, companions)
    agents = AgentMounts(database, runtime, server.get(Layers), tokens, events)
    sandboxes = SandboxMaker(runtime, server.get(Enforcement), server.get(SecretService), events, agents, grants)
    initializer = Initializer(database, runtime, executions, steps, tokens, events)
    suspension = Suspension(runtime, executions, events, progress, companions)
    watch = DevboxWatch(runtime, executions, companions, progress, tasks)
    bring_up = BringUp(progress, agents, sandboxes, initializer, suspension, watch)
    lifecycle = server.offer(Lifecycle, Lifecycle(changes, tasks, progress, bring_up, suspension))
    server.offer(AutoResume, AutoResume(database, changes, quota, lifecycle.begin))
    return DevboxReconciler(database, runtime, progress, teardown, watch, lifecycle.begin)
