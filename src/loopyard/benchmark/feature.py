"""The feature of benchmarks and their runs."""

from loopyard.benchmark.endpoints import router
from loopyard.benchmark.run.canceler import RunCanceler
from loopyard.benchmark.run.endpoints import router as run_router
from loopyard.benchmark.run.inheritance import Inheritance
from loopyard.benchmark.run.service import BenchmarkRunService
from loopyard.benchmark.run.usage_endpoints import router as usage_router
from loopyard.feature import Feature, Reconciler, Routes, Server
from loopyard.scenario.run.service import RunService


def build(server: Server, _: object) -> Feature:
    """Build the service of benchmark runs, and the canceler of their scenario runs."""
    runs = server.get(RunService)
    canceler = server.offer(RunCanceler, RunCanceler(server.database, runs, server.tasks))
    server.offer(BenchmarkRunService, BenchmarkRunService(runs, server.get(Inheritance), canceler))
    return Feature(
        routers=[Routes(run_router), Routes(usage_router), Routes(router)],
        # It cancels runs that may be scored at this moment: their scoring has to be known.
        reconcilers=[Reconciler("canceled benchmark runs", canceler.reconcile, after=("scoring",))],
    )
