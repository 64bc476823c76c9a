"""The feature of scenarios, their runs, and how those are scored."""

from typing import Protocol

from loopyard.devbox.execution.engine import ExecutionEngine
from loopyard.devbox.lifecycle.shutdown import Endings
from loopyard.devbox.lifecycle.teardown import Teardown
from loopyard.devbox.service import DevboxService
from loopyard.feature import BackgroundTask, Feature, Reconciler, Routes, Server, Traffic
from loopyard.kit.background.periodic import Periodic
from loopyard.scenario.endpoints import router
from loopyard.scenario.run.counts import INTERVAL_SECONDS, CountCompactor
from loopyard.scenario.run.endpoints import router as run_router
from loopyard.scenario.run.inherited import InheritedProfiles
from loopyard.scenario.run.patches import PatchRecorder
from loopyard.scenario.run.scoring import ScoringService
from loopyard.scenario.run.service import RunService
from loopyard.scenario.run.usage_endpoints import router as usage_router
from loopyard.scorer.config import ScorerConfig
from loopyard.scorer.engine import ScoringEngine


class ScenarioSettings(Protocol):
    """Settings that this feature reads."""

    scorers: ScorerConfig


def build(server: Server, settings: ScenarioSettings) -> Feature:
    """Build the scoring of runs and the service of runs."""
    runtime, executions, endings = server.runtime, server.get(ExecutionEngine), server.get(Endings)
    engine = ScoringEngine(runtime, executions, settings.scorers)
    recorder = server.offer(PatchRecorder, PatchRecorder(server.database, runtime))
    server.get(Teardown).add_hook(recorder.devbox_is_freed)
    scoring = ScoringService(server.database, runtime, engine, endings, server.changes, server.tasks, recorder)
    runs = RunService(server.get(DevboxService), endings, scoring, server.get(InheritedProfiles))
    server.offer(RunService, runs)
    compactions = Periodic("folding the counts of runs", CountCompactor(server.database).sweep, every=INTERVAL_SECONDS)
    return Feature(
        routers=[Routes(run_router, Traffic.CONSTANT), Routes(usage_router), Routes(router)],
        # Scoring waits for the run's devbox, and finds functions that have run by their executions.
        reconcilers=[Reconciler("scoring", scoring.reconcile, after=("devboxes", "executions"))],
        tasks=[BackgroundTask("counts of runs", compactions.run)],
    )
