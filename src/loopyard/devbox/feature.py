"""The feature of devboxes: their life, commands and files."""

from typing import Protocol

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
from loopyard.devbox.lifecycle.lifecycle import Lifecycle
from loopyard.devbox.lifecycle.reaper import INTERVAL_SECONDS, Reaper
from loopyard.devbox.log.endpoints import router as log_router
from loopyard.devbox.log.events import Events
from loopyard.devbox.log.service import LogService
from loopyard.devbox.service import DevboxService
from loopyard.feature import BackgroundTask, Feature, Reconciler, Routes, Server, Traffic
from loopyard.kit.periodic import Periodic
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
    lifecycle = Lifecycle(
        database,
        runtime,
        executions,
        server.changes,
        server.tasks,
        policies,
        code_host,
        events,
        server.get(ObjectStore),
        server.get(SecretService),
        tokens,
        server.get(Layers),
        grants,
        quota,
    )
    server.offer(Lifecycle, lifecycle)
    devboxes = DevboxService(lifecycle, lifecycle.endings, tokens, policies, grants, quota)
    server.offer(DevboxService, devboxes)
    server.offer(LogService, LogService(database, runtime, devboxes))
    server.offer(ExecutionService, ExecutionService(database, runtime, devboxes, executions))
    server.offer(DevboxFiles, DevboxFiles(database, runtime, devboxes, events))
    activity = server.offer(Activity, Activity(database))
    reaper = Reaper(database, lifecycle, server.changes)
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
            Reconciler("devboxes", lifecycle.reconcile, after=("executions", "agent layers", "upstream calls")),
        ],
        openers=[keep_warm_pool],
        tasks=[
            BackgroundTask("activity", activity.run),
            BackgroundTask("reaper", reaping.run),
        ],
        flushes=[lifecycle.settle],
    )
