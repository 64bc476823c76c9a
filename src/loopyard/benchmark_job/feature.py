"""The feature of benchmark jobs."""

from typing import Protocol

from loopyard.account.limits import AccountLimits
from loopyard.agent.catalog.loader import catalog
from loopyard.agent.config import AgentConfig
from loopyard.benchmark.run.service import BenchmarkRunService
from loopyard.benchmark_job.agents import JobAgents
from loopyard.benchmark_job.config import JobConfig
from loopyard.benchmark_job.endpoints import router
from loopyard.benchmark_job.finalizer import JobFinalizer
from loopyard.benchmark_job.harbor.jobs import HarborJobs
from loopyard.benchmark_job.harbor.runner import HarborRunner
from loopyard.benchmark_job.scheduler import Scheduler
from loopyard.benchmark_job.service import JobService
from loopyard.benchmark_job.trial.runner import TrialRunner
from loopyard.devbox.execution.engine import ExecutionEngine
from loopyard.devbox.service import DevboxService
from loopyard.feature import BackgroundTask, Feature, Routes, Server
from loopyard.key.service import KeyService
from loopyard.scenario.run.service import RunService
from loopyard.secret.service import SecretService


class JobSettings(Protocol):
    """Settings that this feature reads."""

    agents: AgentConfig
    jobs: JobConfig


def build(server: Server, settings: JobSettings) -> Feature:
    """Build the scheduler of trials, the runner of Harbor's jobs, and the service of jobs."""
    database, tasks, config = server.database, server.tasks, settings.jobs
    benchmark_runs = server.get(BenchmarkRunService)
    agents = JobAgents(catalog(settings.agents.catalog))
    runner = TrialRunner(
        database,
        server.runtime,
        server.get(ExecutionEngine),
        server.get(RunService),
        agents,
        server.changes,
        config,
    )
    scheduler = Scheduler(database, runner, JobFinalizer(database, benchmark_runs, server.changes), tasks, config)
    harbor = HarborRunner(
        database,
        benchmark_runs,
        server.get(DevboxService),
        server.get(SecretService),
        server.address,
        server.get(KeyService),
        tasks,
        config,
        server.data_dir / "harbor",
    )
    harbor_jobs = HarborJobs(benchmark_runs, config, harbor.wake)
    service = JobService(benchmark_runs, agents, harbor_jobs, config, server.get(AccountLimits), scheduler.wake)
    server.offer(JobService, service)
    return Feature(
        routers=[Routes(router)],
        tasks=[BackgroundTask("jobs", scheduler.run), BackgroundTask("harbor jobs", harbor.run)],
    )
