"""Harbor itself carries jobs out, with this server as its sandboxes. Needs a package index and Python 3.12 or later."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from runloop_api_client import Runloop
from runloop_api_client.types import BenchmarkJobView
from typer.testing import CliRunner

from loopyard.cli import app
from tests.integration.benchmark_job.harbor import python
from tests.serving import ServerProcess, serving

TASKS = Path(__file__).parents[3] / "integration" / "bench" / "importing" / "harbor_tasks"
SLOW = """#!/bin/bash
sleep 600
"""


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our tasks, and one whose solution takes ten minutes."""
    folder = Path(shutil.copytree(TASKS, tmp_path_factory.mktemp("tasks") / "tasks"))
    slow = Path(shutil.copytree(TASKS / "fix-greeting", folder / "slow"))
    (slow / "solution" / "solve.sh").write_text(SLOW)
    return folder


@pytest.fixture(scope="module")
def harbor_server(tmp_path_factory: pytest.TempPathFactory, tasks: Path) -> Generator[ServerProcess]:
    found = python.folder()
    if found is None:
        pytest.skip("there is no Python 3.12 or later here, which Harbor needs")
    env = {"PATH": f"{found}{os.pathsep}{os.environ['PATH']}", "LOOPYARD_JOBS__HARBOR__TASKS": str(tasks)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        with serving(tmp_path_factory.mktemp("harbor") / "data") as process:
            process.port = int(process.base_url.rpartition(":")[2])
            yield process


@pytest.fixture
def client(harbor_server: ServerProcess) -> Generator[Runloop]:
    with harbor_server.client() as client:
        yield client


def make(client: Runloop, *lines: str) -> str:
    return client.benchmark_jobs.create(spec={"type": "harbor", "inline_yaml": "\n".join(lines)}).id


def until(client: Runloop, job_id: str, wanted: Callable[[BenchmarkJobView], bool]) -> BenchmarkJobView:
    deadline = time.monotonic() + 240
    while not wanted(job := client.benchmark_jobs.retrieve(job_id)):
        assert time.monotonic() < deadline, job
        time.sleep(0.3)
    return job


def over(job: BenchmarkJobView) -> bool:
    return job.state not in ("initializing", "queued", "running")


def scores(job: BenchmarkJobView) -> dict[tuple[str, str], float | None]:
    return {
        (outcome.agent_name, one.scenario_name): one.score
        for outcome in job.benchmark_outcomes or []
        for one in outcome.scenario_outcomes
    }


def folder(server: ServerProcess, job_id: str) -> Path:
    return server.data_dir / "harbor" / job_id


def wait_for_devbox(client: Runloop) -> None:
    deadline = time.monotonic() + 240
    while not any(devbox.status == "running" for devbox in client.devboxes.list(limit=100)):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def assert_no_folder_is_left(server: ServerProcess, job_id: str) -> None:
    deadline = time.monotonic() + 60
    while folder(server, job_id).exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def assert_no_devbox_is_left(client: Runloop) -> None:
    deadline = time.monotonic() + 60
    while left := [one.id for one in client.devboxes.list(limit=100) if one.status not in ("shutdown", "failure")]:
        assert time.monotonic() < deadline, left
        time.sleep(0.3)


def test_harbors_results_come_back_as_outcomes_also_when_the_server_is_killed(
    harbor_server: ServerProcess, client: Runloop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agents = "agents: [{name: oracle}, {name: nop}]"
    job_id = make(client, "job_name: ours", agents, "tasks: [{path: fix-greeting}, {path: count-words}]")
    began = until(client, job_id, lambda job: job.state == "running")
    assert began.name.startswith("ours-")
    assert began.job_source is not None
    assert began.job_source.type == "harbor"
    assert len(began.in_progress_runs or []) == 2
    wait_for_devbox(client)
    harbor_server.kill()
    harbor_server.start()
    job = until(client, job_id, over)
    assert job.state == "completed", job
    assert scores(job) == {
        ("oracle", "fix-greeting"): 1.0,
        ("oracle", "loopyard/count-words"): 1.0,
        ("nop", "fix-greeting"): 0.0,
        ("nop", "loopyard/count-words"): 0.0,
    }
    oracle, nop = job.benchmark_outcomes or []
    assert (oracle.average_score, oracle.n_completed, oracle.n_failed, oracle.n_timeout) == (1.0, 2, 0, 0)
    assert (nop.average_score, nop.n_completed) == (0.0, 2)
    assert all((one.duration_ms or 0) > 0 for one in oracle.scenario_outcomes)
    assert client.benchmark_runs.retrieve(oracle.benchmark_run_id).state == "completed"
    assert_no_devbox_is_left(client)
    assert_no_folder_is_left(harbor_server, job_id)

    monkeypatch.setenv("RUNLOOP_BASE_URL", harbor_server.base_url)
    monkeypatch.setenv("RUNLOOP_API_KEY", harbor_server.api_key)
    told = CliRunner().invoke(app, ["bench", "report", job_id, "--format", "json"])
    contenders = json.loads(told.stdout)["contenders"]
    assert [(one["agent"], one["score"]["mean"]) for one in contenders] == [("oracle", 1.0), ("nop", 0.0)]


def test_a_harbor_that_is_killed_goes_on_with_what_is_not_over(harbor_server: ServerProcess, client: Runloop) -> None:
    lines = "agents: [{name: oracle}]", "tasks: [{path: fix-greeting}, {path: slow}]", "n_concurrent_trials: 1"
    job_id = make(client, *lines, "quiet: true")
    place = folder(harbor_server, job_id)

    def done() -> list[Path]:
        return list(place.glob("jobs/*/fix-greeting__*/result.json"))

    until(client, job_id, lambda job: over(job) or any('"finished_at": "' in path.read_text() for path in done()))
    wait_for_devbox(client)
    [first] = done()
    kept = first.stat().st_mtime_ns
    group = (place / "group").read_text()
    os.killpg(int(group), signal.SIGKILL)
    deadline = time.monotonic() + 60
    while not (place / "group").exists() or (place / "group").read_text() == group:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert_no_devbox_is_left(client)
    wait_for_devbox(client)
    assert [path.stat().st_mtime_ns for path in done()] == [kept]
    for run in client.benchmark_jobs.retrieve(job_id).in_progress_runs or []:
        client.benchmark_runs.cancel(run.benchmark_run_id)
    job = until(client, job_id, over)
    assert job.state == "cancelled"
    assert scores(job)["oracle", "fix-greeting"] == 1.0
    assert_no_devbox_is_left(client)
    assert_no_folder_is_left(harbor_server, job_id)


def test_what_harbor_refuses_fails_the_job_with_its_words(client: Runloop) -> None:
    job = until(client, make(client, "agents: [{name: nobody}]", "tasks: [{path: fix-greeting}]"), over)
    assert job.state == "failed"
    assert "nobody" in (job.failure_reason or "")
    [outcome] = job.benchmark_outcomes or []
    assert (outcome.scenario_outcomes, outcome.average_score) == ([], None)
    assert client.benchmark_runs.retrieve(outcome.benchmark_run_id).state == "failed"


def test_a_folder_that_a_killed_server_has_left_goes_at_the_next_start(
    harbor_server: ServerProcess, client: Runloop
) -> None:
    harbor_server.kill()
    harbor_server.start({"LOOPYARD_FAILPOINT": "harbor.closed"})
    job_id = make(client, "agents: [{name: nobody}]", "tasks: [{path: fix-greeting}]")
    harbor_server.wait_dead(240)
    assert folder(harbor_server, job_id).is_dir()
    harbor_server.start()
    assert_no_folder_is_left(harbor_server, job_id)
    job = client.benchmark_jobs.retrieve(job_id)
    assert (job.state, len(job.benchmark_outcomes or [])) == ("failed", 1)
