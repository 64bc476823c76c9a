"""Lists of scenarios, runs, benchmarks, benchmark runs and jobs: filters, totals, pages, and hostile text in all."""

import pytest
from runloop_api_client import Runloop

from tests.console import Console
from tests.integration.console.evaluation.making import EVIL, SCRIPT, Evaluation
from tests.integration.scenario.definitions import scenario
from tests.serving import ServerProcess

LISTS = ("runs", "scenarios", "benchmarks", "benchmark-runs", "jobs")


@pytest.mark.parametrize("name", LISTS)
def test_a_list_shows_hostile_text_as_text(console: Console, evaluation: Evaluation, name: str) -> None:
    assert evaluation.job_id
    html = console.page(f"/{name}")
    assert SCRIPT not in html
    assert "&lt;script&gt;" in html
    assert "\u202e" not in html
    assert "54439" not in html


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("query", ["after=nonsense", "after=dbx_0", "after=%00"])
def test_a_cursor_that_cannot_be_is_refused(console: Console, name: str, query: str) -> None:
    html = console.page(f"/{name}?{query}", expect=400)
    assert 'role="alert"' in html


@pytest.mark.parametrize("name", LISTS)
def test_filters_take_hostile_text(console: Console, evaluation: Evaluation, name: str) -> None:
    assert evaluation.job_id
    answer = console.get(f"/console/{name}", params={"search": EVIL, "name": f"x{EVIL}", "unknown": EVIL})
    assert answer.status_code == 200
    assert SCRIPT not in answer.text
    assert " here</span>" not in answer.text
    console.page(f"/{name}?search={'x' * 2000}", expect=400)


def test_the_run_list_has_every_filter_of_the_api_and_exact_totals(
    console: Console, evaluation: Evaluation, server: ServerProcess
) -> None:
    first, broken = evaluation.scenario_ids[0], evaluation.scenario_ids[3]
    with server.client() as client:
        total = client.scenarios.runs.list(limit=1).total_count
        failed = client.scenarios.runs.list(limit=1, state="failed").total_count
    run = evaluation.runs[first][0]
    assert f"{total} in all, {total} here" in console.page("/runs")
    assert f"{failed} in all, {failed} here" in console.page("/runs?state=failed&name=&scenario_id=&search=")
    assert "2 in all, 2 here" in console.page(f"/runs?scenario_id={first}")
    assert "1 in all, 1 here" in console.page(f"/runs?search={run.id}")
    assert "1 in all, 1 here" in console.page(
        f"/runs?scenario_id={first}&benchmark_run_id={run.benchmark_run_id}&state=completed"
    )
    html = console.page(f"/runs?scenario_id={broken}&state=failed")
    assert "execution_failed" in html
    assert "infrastructure failed" in html
    console.page("/runs?state=nonsense", expect=400)


def test_pages_follow_each_other(console: Console, server: ServerProcess) -> None:
    with server.client() as client:
        ids = {client.scenarios.create(**scenario(name=f"paged {number}")).id for number in range(60)}
    first = console.page("/scenarios?search=paged")
    assert "60 in all, 50 here" in first
    path = first.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    second = console.get(path).text
    assert "60 in all, 10 here" in second
    assert "search=paged" in path
    for scenario_id in ids:
        assert (scenario_id in first) != (scenario_id in second)
    assert 'href="/console/scenarios?search=paged">Newest' in second


def test_another_account_sees_nothing_of_it(console: Console, evaluation: Evaluation, server: ServerProcess) -> None:
    run = evaluation.runs[evaluation.scenario_ids[0]][0]
    with Console(server.base_url) as other:
        other.log_in(restricted(server, "RESOURCE_TYPE_DEVBOXES"))
        for path in (*LISTS, f"runs/{run.id}", "compare", f"jobs/{evaluation.job_id}", "leaderboard"):
            other.page(f"/{path}", expect=403)
    for path in ("runs/scr_", "scenarios/scn_", "jobs/bmj_", "benchmarks/bmk_", "benchmark-runs/bmr_"):
        console.page(f"/{path}{'0' * 26}", expect=404)


def test_what_a_key_may_not_do_is_not_offered(evaluation: Evaluation, server: ServerProcess) -> None:
    first = evaluation.scenario_ids[0]
    with Console(server.base_url) as reader:
        reader.log_in(restricted(server, "RESOURCE_TYPE_SCENARIOS"))
        html = reader.page(f"/scenarios/{first}")
        assert "Archive" not in html
        assert "Start a run" not in html
        assert "Let agents try it" not in html
        assert "Run again" not in reader.page(f"/runs/{evaluation.runs[first][0].id}")
        reader.change(f"/scenarios/{first}/archive", expect=403)
        reader.page("/jobs", expect=403)


def restricted(server: ServerProcess, resource: str, level: str = "ACCESS_LEVEL_READ") -> str:
    """A key that has one right."""
    with server.client() as client:
        return _restricted(client, resource, level)


def _restricted(client: Runloop, resource: str, level: str) -> str:
    made = client.restricted_keys.create(
        name="restricted",
        scopes=[{"resource_type": resource, "access_level": level}],  # type: ignore[typeddict-item]
    )
    assert made.key_secret is not None
    return made.key_secret
