"""Puts a server together: its parts, its routes, and what happens at start and end."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from starlette.routing import WebSocketRoute

from loopyard.account.endpoints import router as account_router
from loopyard.account.limits import AccountLimits
from loopyard.agent import service as agents
from loopyard.agent.catalog.loader import catalog
from loopyard.agent.endpoints import router as agent_router
from loopyard.agent.layer.installer import Installer
from loopyard.agent.layer.layers import Layers
from loopyard.audit.log import AuditLog
from loopyard.audit.middleware import AuditMiddleware
from loopyard.auth.authenticator import Authenticator
from loopyard.auth.live import LiveConnections
from loopyard.auth.watch import KeyWatch
from loopyard.axon import assembly as axons
from loopyard.benchmark.endpoints import router as benchmark_router
from loopyard.benchmark.run.canceler import RunCanceler
from loopyard.benchmark.run.endpoints import router as benchmark_run_router
from loopyard.benchmark.run.inheritance import Inheritance
from loopyard.benchmark.run.service import BenchmarkRunService
from loopyard.benchmark.run.usage_endpoints import router as benchmark_run_usage_router
from loopyard.benchmark_job.agents import JobAgents
from loopyard.benchmark_job.endpoints import router as job_router
from loopyard.benchmark_job.finalizer import JobFinalizer
from loopyard.benchmark_job.harbor.jobs import HarborJobs
from loopyard.benchmark_job.harbor.runner import HarborRunner
from loopyard.benchmark_job.scheduler import Scheduler
from loopyard.benchmark_job.service import JobService
from loopyard.benchmark_job.trial.runner import TrialRunner
from loopyard.blueprint.builder import BlueprintBuilder
from loopyard.blueprint.endpoints import router as blueprint_router
from loopyard.blueprint.inputs import Inputs
from loopyard.blueprint.leftovers import BuildsKeeper
from loopyard.blueprint.logs import BuildLogs
from loopyard.blueprint.service import BlueprintService
from loopyard.broker import assembly as brokers
from loopyard.broker.brokers import Brokers
from loopyard.config import Settings
from loopyard.connections.bodies import StalledBodyMiddleware
from loopyard.console import mounting as console
from loopyard.devbox.activity import Activity
from loopyard.devbox.code_mounts import CodeHost
from loopyard.devbox.endpoints import router as devbox_router
from loopyard.devbox.eviction.endpoints import router as eviction_router
from loopyard.devbox.execution.endpoints import router as execution_router
from loopyard.devbox.execution.engine import ExecutionEngine
from loopyard.devbox.execution.service import ExecutionService
from loopyard.devbox.file_endpoints import router as file_router
from loopyard.devbox.files import DevboxFiles
from loopyard.devbox.launch_parameters import LaunchParameters
from loopyard.devbox.lifecycle import Lifecycle
from loopyard.devbox.log.endpoints import router as log_router
from loopyard.devbox.log.events import Events
from loopyard.devbox.log.sampler import UsageSampler
from loopyard.devbox.log.service import LogService
from loopyard.devbox.quota import DevboxQuota
from loopyard.devbox.reaper import Reaper
from loopyard.devbox.service import DevboxService
from loopyard.devbox.ssh.endpoints import router as ssh_router
from loopyard.devbox.ssh.gateway import SshGateway
from loopyard.devbox.ssh.keys import SshKeys
from loopyard.devbox.tunnel.endpoints import router as tunnel_router
from loopyard.devbox.tunnel.exchanges import TunnelExchanges
from loopyard.devbox.tunnel.gate import Gate
from loopyard.devbox.tunnel.proxy import TunnelProxy
from loopyard.devbox.tunnel.service import TunnelService
from loopyard.devbox.usage_history import UsageHistory
from loopyard.gateway import service as gateways
from loopyard.gateway.assembly import UpstreamCalls
from loopyard.gateway.endpoints import router as gateway_router
from loopyard.gateway.token_endpoints import router as gateway_token_router
from loopyard.health import router as health_router
from loopyard.key.endpoints import router as key_router
from loopyard.key.service import KeyService
from loopyard.kit import error_handlers, openapi
from loopyard.kit.changes import Changes
from loopyard.kit.db import Database
from loopyard.kit.host_room import HostRoom
from loopyard.kit.in_flight import InFlightMiddleware, InFlightRequests
from loopyard.kit.parts import Parts
from loopyard.kit.paths import refuse_impossible
from loopyard.kit.server_address import ServerAddress
from loopyard.kit.tasks import Tasks
from loopyard.mcp_hub.endpoints import router as mcp_router
from loopyard.mcp_hub.token_endpoints import router as mcp_token_router
from loopyard.model_usage.endpoints import router as model_usage_router
from loopyard.model_usage.ledger import Ledger
from loopyard.model_usage.recording.leftovers import RecordingsKeeper
from loopyard.model_usage.recording.recordings import Recordings
from loopyard.network_policy.endpoints import router as policy_router
from loopyard.network_policy.enforcement import Enforcement
from loopyard.object.config import ObjectConfig
from loopyard.object.content_endpoints import router as object_content_router
from loopyard.object.deleter import ObjectDeleter
from loopyard.object.endpoints import router as object_router
from loopyard.object.leftovers import ObjectsKeeper
from loopyard.object.local import LocalStore
from loopyard.object.s3 import BucketStore
from loopyard.object.service import ObjectService
from loopyard.object.signing import Signer
from loopyard.object.store import ObjectStore
from loopyard.pty import attach as pty_attach
from loopyard.pty.config import PtyConfig
from loopyard.pty.endpoints import router as pty_router
from loopyard.pty.sessions import PtySessions
from loopyard.pty.tunnels import PtyTunnels
from loopyard.runtime.images import BuildsImages
from loopyard.runtime.protocol import Runtime, SandboxSpec
from loopyard.runtime.readiness import KeepsReady
from loopyard.runtime.refusals import TellsRefusals
from loopyard.runtime.upkeep import HasKeepers, Keeper
from loopyard.scenario.endpoints import router as scenario_router
from loopyard.scenario.run.counts import CountCompactor
from loopyard.scenario.run.endpoints import router as run_router
from loopyard.scenario.run.scoring import ScoringService
from loopyard.scenario.run.service import RunService
from loopyard.scenario.run.usage_endpoints import router as run_usage_router
from loopyard.scorer.engine import ScoringEngine
from loopyard.scorer.registered.endpoints import router as scorer_router
from loopyard.secret.endpoints import router as secret_router
from loopyard.secret.held import HeldTokens
from loopyard.secret.keys import key_ring
from loopyard.secret.service import SecretService
from loopyard.secret.vault import Vault
from loopyard.snapshot.endpoints import router as snapshot_router
from loopyard.snapshot.leftovers import SnapshotsKeeper
from loopyard.snapshot.service import SnapshotService
from loopyard.snapshot.taker import SnapshotTaker
from loopyard.upkeep.control import Control
from loopyard.upkeep.requests import RequestsKeeper
from loopyard.upkeep.sweep import Sweep
from loopyard.upstream_proxy.addresses import Addresses
from loopyard.upstream_proxy.grants import Grants
from loopyard.version import VERSION
from loopyard.welcome import router as welcome_router

_ROUTERS = (
    health_router,
    welcome_router,
    run_router,  # what is asked for most stands first: a path is looked for in this order
    axons.EVENTS,
    execution_router,
    account_router,
    key_router,
    file_router,
    ssh_router,
    pty_router,
    tunnel_router,
    snapshot_router,
    blueprint_router,
    eviction_router,
    log_router,
    devbox_router,
    scorer_router,
    scenario_router,
    benchmark_run_router,
    benchmark_router,
    job_router,
    policy_router,
    gateway_router,
    gateway_token_router,
    mcp_router,
    mcp_token_router,
    model_usage_router,
    run_usage_router,
    benchmark_run_usage_router,
    agent_router,
    secret_router,
    object_router,
    object_content_router,
    *axons.ROUTERS,
)


def create_app(
    runtime: Runtime, database: Database, settings: Settings, ssh_listener: socket.socket | None = None
) -> FastAPI:
    """A server on an opened runtime and an up-to-date store. Its lifespan reconciles them, and closes its own work.

    `ssh_listener` is a bound socket for SSH; None for no SSH.
    """
    parts = _assemble(runtime, database, settings, ssh_listener)
    kinds = catalog(settings.agents.catalog)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        tasks = parts.get(Tasks)
        async with database.write() as session:
            await agents.publish(session, kinds.values())
            await gateways.publish(session)
        await parts.get(Ledger).reconcile()
        await parts.get(Grants).reconcile()
        await parts.get(ExecutionEngine).reconcile()
        await parts.get(Layers).reconcile()
        await parts.get(Lifecycle).reconcile()
        await parts.get(Brokers).reconcile()
        await parts.get(SnapshotTaker).reconcile()
        await parts.get(BlueprintBuilder).reconcile()
        await parts.get(Enforcement).reconcile()
        await parts.get(ScoringService).reconcile()
        await parts.get(RunCanceler).reconcile()
        await parts.get(ObjectStore).open()
        if isinstance(runtime, KeepsReady):
            runtime.keep_ready(SandboxSpec(id="", limits=LaunchParameters().limits))
        tasks.start("objects", parts.get(ObjectDeleter).run())
        tasks.start("agent layers", parts.get(Layers).run())
        tasks.start("activity", parts.get(Activity).run())
        tasks.start("ssh", parts.get(SshGateway).run())
        tasks.start("events", parts.get(Events).run())
        tasks.start("model usage", parts.get(Ledger).run())
        tasks.start("sampling", parts.get(UsageSampler).run())
        tasks.start("reaper", parts.get(Reaper).run())
        tasks.start("folder", parts.get(CountCompactor).run())
        tasks.start("jobs", parts.get(Scheduler).run())
        tasks.start("harbor jobs", parts.get(HarborRunner).run())
        tasks.start("sweep", parts.get(Sweep).run())
        tasks.start("control", parts.get(Control).run())
        axons.start(parts)
        tasks.start("keys", parts.get(KeyWatch).run())
        tasks.start("audit", parts.get(AuditLog).run())
        yield
        parts.get(PtySessions).close()
        await parts.get(Lifecycle).settle()
        await parts.get(Ledger).write()
        await parts.get(Events).flush()
        await parts.get(KeyWatch).note_uses()
        await parts.get(AuditLog).flush()
        await tasks.close()

    app = FastAPI(
        title="Loopyard",
        version=VERSION,
        summary="Agent sandboxes and agent evaluation behind the Runloop API",
        lifespan=lifespan,
        dependencies=[Depends(refuse_impossible)],
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.parts = parts
    error_handlers.install(app)
    for router in _ROUTERS:
        app.include_router(router)
    app.router.routes.append(WebSocketRoute(pty_attach.PATH, pty_attach.Attach(parts).serve))
    openapi.install(app)
    app.state.has_console = settings.console.enabled
    if settings.console.enabled:
        app.mount(console.BASE, console.create(parts, settings))
    app.add_middleware(StalledBodyMiddleware, seconds=settings.connections.body_seconds)
    app.add_middleware(AuditMiddleware, audit=parts.get(AuditLog))
    app.add_middleware(
        TunnelProxy,
        gate=parts.get(Gate),
        activity=parts.get(Activity),
        exchanges=parts.get(TunnelExchanges),
        live=parts.get(LiveConnections),
        config=settings.tunnel,
    )
    app.add_middleware(InFlightMiddleware, requests=parts.get(InFlightRequests))
    return app


def _assemble(runtime: Runtime, database: Database, settings: Settings, ssh_listener: socket.socket | None) -> Parts:
    parts = Parts()
    parts.add(HostRoom, HostRoom(settings.data_dir))
    requests = parts.add(InFlightRequests, InFlightRequests())
    parts.add(Database, database)
    parts.add(Runtime, runtime)
    live = parts.add(LiveConnections, LiveConnections(requests))
    authenticator = parts.add(Authenticator, Authenticator(database, live))
    parts.add(KeyWatch, KeyWatch(database, authenticator))
    audit = parts.add(AuditLog, AuditLog(settings.data_dir, settings.audit))
    keys_of_callers = parts.add(KeyService, KeyService(authenticator))
    limits = AccountLimits(settings.limits)
    quota = DevboxQuota(limits)
    changes = parts.add(Changes, Changes())
    tasks = parts.add(Tasks, Tasks())
    executions = parts.add(ExecutionEngine, ExecutionEngine(database, runtime, changes, tasks))
    policies = parts.add(Enforcement, Enforcement(database, runtime))
    code_host = CodeHost(settings.code_host)
    events = parts.add(Events, Events(database))
    history = parts.add(UsageHistory, UsageHistory(runtime))
    parts.add(UsageSampler, UsageSampler(database, runtime, events, history))
    if isinstance(runtime, TellsRefusals):
        runtime.refused = events.refused
    ledger = parts.add(Ledger, Ledger(database, events))
    recordings = parts.add(Recordings, Recordings(settings.data_dir / "gateway"))
    store = parts.add(ObjectStore, _object_store(settings))
    parts.add(ObjectConfig, settings.objects)
    object_deleter = parts.add(ObjectDeleter, ObjectDeleter(database, store, settings.objects.upload_seconds))
    parts.add(ObjectService, ObjectService(database, store, object_deleter, settings.objects, limits))
    vault = Vault(key_ring(settings.configured_secret_keys, settings.data_dir))
    secrets = parts.add(SecretService, SecretService(database, vault))
    tokens = HeldTokens(vault)
    logs = parts.add(BuildLogs, BuildLogs(settings.data_dir / "build-logs"))
    inputs = Inputs(secrets, store, settings.data_dir / "build-contexts")
    builder = runtime.image_builder if isinstance(runtime, BuildsImages) else None
    blueprint_builder = BlueprintBuilder(
        database, builder, policies, inputs, tokens, logs, code_host, settings.builds, changes, tasks
    )
    parts.add(BlueprintBuilder, blueprint_builder)
    parts.add(BlueprintService, BlueprintService(blueprint_builder, tokens, code_host, limits))
    layers = Layers(database, runtime, Installer(runtime, store, settings.agents, tasks), settings.agents, tasks)
    parts.add(Layers, layers)
    calls = UpstreamCalls(database, runtime, secrets, settings, tasks, ledger)
    parts.add(Addresses, calls.addresses)
    grants = parts.add(Grants, calls.grants)
    lifecycle = Lifecycle(
        database,
        runtime,
        executions,
        changes,
        tasks,
        policies,
        code_host,
        events,
        store,
        secrets,
        tokens,
        layers,
        grants,
        quota,
    )
    parts.add(Lifecycle, lifecycle)
    lifecycle.endings.add_listener(grants.end_with)
    policies.add_listener(grants.end_refused)
    devboxes = parts.add(DevboxService, DevboxService(lifecycle, lifecycle.endings, tokens, policies, grants, quota))
    snapshot_taker = parts.add(SnapshotTaker, SnapshotTaker(database, runtime, changes, tasks))
    parts.add(SnapshotService, SnapshotService(snapshot_taker))
    parts.add(LogService, LogService(database, runtime, devboxes))
    parts.add(ExecutionService, ExecutionService(database, runtime, devboxes, executions))
    parts.add(DevboxFiles, DevboxFiles(database, runtime, devboxes, events))
    activity = parts.add(Activity, Activity(database))
    exchanges = parts.add(TunnelExchanges, TunnelExchanges())
    parts.add(TunnelService, TunnelService(exchanges.drop, authenticator.is_good))
    parts.add(Gate, Gate(database, runtime, changes, lifecycle.wake, settings.tunnel, authenticator))
    gateway = SshGateway(
        ssh_listener, settings.ssh, settings.data_dir, database, runtime, activity, authenticator, live, audit
    )
    parts.add(SshGateway, gateway)
    keys = parts.add(SshKeys, SshKeys(devboxes, gateway))
    lifecycle.endings.add_listener(keys.revoke)
    parts.add(PtyConfig, settings.pty)
    terminals = parts.add(PtySessions, PtySessions(runtime, settings.pty))
    parts.add(PtyTunnels, PtyTunnels(database, devboxes, authenticator, settings.pty, settings.tunnel.domain))
    lifecycle.endings.add_listener(terminals.end_with)
    parts.add(Reaper, Reaper(database, lifecycle, changes))
    scorers = ScoringEngine(runtime, executions, settings.scorers)
    scoring = parts.add(ScoringService, ScoringService(database, runtime, scorers, lifecycle.endings, changes, tasks))
    inheritance = Inheritance(tokens)
    runs = parts.add(RunService, RunService(devboxes, lifecycle.endings, scoring, inheritance))
    run_canceler = parts.add(RunCanceler, RunCanceler(database, runs, tasks))
    benchmark_runs = parts.add(BenchmarkRunService, BenchmarkRunService(runs, inheritance, run_canceler))
    job_agents = JobAgents(catalog(settings.agents.catalog))
    trial_runner = TrialRunner(database, runtime, executions, runs, job_agents, changes, settings.jobs)
    finalizer = JobFinalizer(database, benchmark_runs, changes)
    scheduler = parts.add(Scheduler, Scheduler(database, trial_runner, finalizer, tasks, settings.jobs))
    address = parts.add(ServerAddress, ServerAddress())
    harbor_folder = settings.data_dir / "harbor"
    harbor = parts.add(
        HarborRunner,
        HarborRunner(
            database, benchmark_runs, devboxes, secrets, address, keys_of_callers, tasks, settings.jobs, harbor_folder
        ),
    )
    harbor_jobs = HarborJobs(benchmark_runs, settings.jobs, harbor.wake)
    parts.add(JobService, JobService(benchmark_runs, job_agents, harbor_jobs, settings.jobs, limits, scheduler.wake))
    parts.add(CountCompactor, CountCompactor(database))
    keepers: list[Keeper] = [
        RequestsKeeper(database),
        ObjectsKeeper(database, store),
        SnapshotsKeeper(database, runtime),
        BuildsKeeper(database, builder, logs, inputs),
        RecordingsKeeper(database, recordings, settings.gateway.recording_days),
        *(runtime.keepers if isinstance(runtime, HasKeepers) else ()),
    ]
    keepers += axons.add(parts, settings.data_dir)
    brokers.add(parts)
    sweep = parts.add(Sweep, Sweep(keepers, settings.upkeep))
    parts.add(Control, Control(settings.data_dir, sweep))
    return parts


def sweep_of(runtime: Runtime, database: Database, settings: Settings) -> Sweep:
    """Return the garbage collection for hosts where no server runs, on an opened runtime and a migrated store."""
    return _assemble(runtime, database, settings, None).get(Sweep)


def _object_store(settings: Settings) -> ObjectStore:
    if settings.objects.s3 is not None:
        return BucketStore(settings.objects.s3, settings.objects.max_bytes)
    return LocalStore(settings.data_dir / "objects", Signer(settings.data_dir), settings.objects.max_bytes)
