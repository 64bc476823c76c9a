"""A job's page in a browser: the grid follows the trials, hostile text stays text, and no rule of axe is broken."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.benchmark_job.making import agent, start, wait
from tests.integration.console.evaluation.making import EVIL, Evaluation, evaluate
from tests.integration.scenario.definitions import bash, scenario
from tests.serving import ServerProcess
from tests.slow.console.conftest import Watched

LogIn = Callable[..., Watched]
SLOW = "while ! test -e ~/go; do sleep 0.1; done"


@pytest.fixture(scope="module")
def evaluation(server: ServerProcess) -> Evaluation:
    with server.client() as client:
        return evaluate(client)


def test_the_grid_follows_the_trials(server: ServerProcess, log_in: LogIn) -> None:
    with server.client() as client:
        ids = [
            client.scenarios.create(
                **scenario(bash("right", "echo score=1.0"), name=f"{name} {EVIL}", reference_output=SLOW)
            ).id
            for name in ("first", "second")
        ]
        job_id = start(client, ids, agent(), n_concurrent_trials=1)
        watched = log_in()
        watched.go(f"/jobs/{job_id}")
        page = watched.page
        page.wait_for_selector(".cells .o-busy:has-text('working')", state="attached", timeout=120_000)
        assert page.locator(".cells .o-wait").count() == 1
        runs = list(client.scenarios.runs.list(scenario_id=ids[0]))
        client.devboxes.execute_sync(runs[0].devbox_id, command="touch ~/go")
        page.wait_for_selector(".cells .o-pass", timeout=120_000)
        page.wait_for_selector(".cells .o-busy:has-text('working')", state="attached", timeout=120_000)
        runs = list(client.scenarios.runs.list(scenario_id=ids[1]))
        client.devboxes.execute_sync(runs[0].devbox_id, command="touch ~/go")
        wait(client, job_id)
        page.wait_for_selector("#main .status:text-is('completed')", timeout=120_000)
        assert page.locator(".cells .o-pass").count() == 2
        page.locator(".cells .o-pass").first.click()
        page.wait_for_url(re.compile("/console/runs/scr_"))
        assert page.evaluate("window.hit") is None
        assert watched.faults == []


def test_the_pages_of_an_evaluation_are_harmless_and_accessible(
    evaluation: Evaluation, log_in: LogIn, shots: Path
) -> None:
    first, second = evaluation.runs[evaluation.scenario_ids[0]]
    broken = evaluation.runs[evaluation.scenario_ids[3]][0]
    oracle, nop = evaluation.benchmark_run_ids
    paths = {
        "runs": "/runs",
        "run": f"/runs/{first.id}",
        "run-changes": f"/runs/{first.id}/changes",
        "run-broken": f"/runs/{broken.id}",
        "command": f"/runs/{first.id}/commands/agent.run",
        "scenarios": "/scenarios",
        "scenario": f"/scenarios/{evaluation.scenario_ids[0]}",
        "benchmarks": "/benchmarks",
        "benchmark": f"/benchmarks/{evaluation.benchmark_id}",
        "benchmark-runs": "/benchmark-runs",
        "benchmark-run": f"/benchmark-runs/{oracle}",
        "jobs": "/jobs",
        "job": f"/jobs/{evaluation.job_id}",
        "job-new": f"/jobs/new?benchmark_id={evaluation.benchmark_id}",
        "compare": f"/compare?of={oracle}&of={nop}",
        "report": f"/compare?of={oracle}",
        "compare-runs": f"/compare/runs?a={first.id}&b={second.id}",
        "leaderboard": f"/leaderboard?benchmark_id={evaluation.benchmark_id}",
    }
    found: list[str] = []
    for scheme, width in (("light", 1280), ("dark", 390), ("dark", 1280), ("light", 390)):
        watched = log_in(scheme, width)
        for name, path in paths.items():
            watched.go(path)
            watched.page.screenshot(path=shots / f"{name}-{scheme}-{width}.png", full_page=True)
            wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
            if watched.page.evaluate(wide):
                found.append(f"{path} is wider than {width}")
            if watched.page.evaluate("window.hit") is not None:
                found.append(f"{path} ran what it showed")
            if scheme != "light" or width == 1280:
                found += watched.violations()
        found += watched.faults
    assert not found, "\n".join(found)


def test_the_form_shows_what_it_asks(evaluation: Evaluation, log_in: LogIn) -> None:
    watched = log_in()
    watched.go(f"/jobs/new?benchmark_id={evaluation.benchmark_id}")
    page = watched.page
    page.select_option("select[name='agent.0.name']", "nop")
    page.wait_for_selector("#equal:has-text('client.benchmark_jobs.create')", timeout=60_000)
    page.fill("input[name='max_cost_usd']", "1.25")
    page.wait_for_selector("#equal:has-text('1.25')", timeout=60_000)
    page.click("button:has-text('Add an agent')")
    page.wait_for_selector("select[name='agent.1.name']")
    page.click("button:has-text('Drop the last agent')")
    page.click("button:has-text('Start the job')")
    page.wait_for_url(re.compile("/console/jobs/bmj_"))
    page.wait_for_selector("#main .status:text-is('completed')", timeout=120_000)
    assert watched.faults == []
