"""Pages that follow a run, a benchmark run and a job: a change comes within a second or two, and text stays text."""

import time
from collections.abc import Callable, Generator
from contextlib import closing

import pytest
from runloop_api_client import Runloop

from tests.console import Console
from tests.integration.benchmark_job.making import agent, start, wait
from tests.integration.console.evaluation.making import EVIL, SCRIPT
from tests.integration.scenario.definitions import bash, scenario
from tests.serving import ServerProcess

SECONDS = 60
"""A change is on the page within a second; the rest is this machine's."""


def _events(console: Console, path: str) -> Generator[tuple[str, str]]:
    """The events of a live page, each by its name and its HTML."""
    with console.stream("GET", f"/console{path}") as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = ""
        lines: list[str] = []
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                lines.append(line.removeprefix("data: "))
            elif not line and name:
                yield name, "\n".join(lines)
                name, lines = "", []


def _follow(console: Console, path: str, event: str, change: Callable[[], object], wanted: str) -> None:
    """Make a change once the page is there, and see it come."""
    with closing(_events(console, path)) as events:
        first = next(html for name, html in events if name == event)
        assert wanted not in first
        assert SCRIPT not in first
        change()
        begun = time.monotonic()
        for name, html in events:
            assert SCRIPT not in html
            if name == event and wanted in html:
                break
        assert time.monotonic() - begun < SECONDS


@pytest.fixture
def client(server: ServerProcess) -> Generator[Runloop]:
    with server.client() as client:
        yield client


def test_a_run_is_followed(console: Console, client: Runloop) -> None:
    scorer = bash("always", f"printf '%s\\n' '{SCRIPT}'; echo score=1.0")
    made = client.scenarios.create(**scenario(scorer, name=f"followed {EVIL}"))
    run = client.scenarios.start_run_and_await_env_ready(scenario_id=made.id)
    path = f"/runs/{run.id}/live?state=running"

    def score() -> None:
        client.scenarios.runs.score_and_await(run.id)

    _follow(console, path, "scorers", score, "score 1.000")
    _follow(console, path, "state", lambda: client.scenarios.runs.complete(run.id), ">completed</span>")
    with closing(_events(console, path)) as events:
        assert "Load it again" in next(html for name, html in events if name == "state")


def test_a_benchmark_run_is_followed(console: Console, client: Runloop) -> None:
    scenario_id = client.scenarios.create(**scenario(name=f"followed {EVIL}")).id
    benchmark = client.benchmarks.create(name="followed", scenario_ids=[scenario_id])
    run = client.benchmarks.start_run(benchmark_id=benchmark.id)
    path = f"/benchmark-runs/{run.id}/live"

    def begin() -> None:
        client.scenarios.start_run(scenario_id=scenario_id, benchmark_run_id=run.id)

    _follow(console, path, "progress", begin, "running</span> 1</span>")
    _follow(console, path, "progress", lambda: client.benchmark_runs.cancel(run.id), ">canceled</span>")


def test_a_job_is_followed(console: Console, client: Runloop) -> None:
    made = client.scenarios.create(**scenario(name=f"followed {EVIL}", reference_output="sleep 3"))
    job_id = start(client, [made.id], agent())
    _follow(console, f"/jobs/{job_id}/live", "grid", lambda: wait(client, job_id), ">completed</span>")


@pytest.mark.parametrize("path", ["/runs/scr_0/live", "/jobs/bmj_0/live", "/benchmark-runs/bmr_0/live"])
def test_what_is_not_there_is_not_followed(console: Console, path: str) -> None:
    console.page(path, expect=404)
