"""Pages of one scenario, run, benchmark, benchmark run and job, with what is done from them."""

import io
import json
import zipfile

import pytest

from tests.console import Console
from tests.integration.console.evaluation.making import EVIL, SCRIPT, Evaluation
from tests.integration.scenario.definitions import bash, scenario
from tests.serving import ServerProcess


def _is_harmless(html: str) -> None:
    assert SCRIPT not in html
    assert "\u202e" not in html
    assert "\x1b" not in html
    assert "javascript:" not in html.replace("[link](javascript:", "")


def test_a_run_says_what_was_done_and_how_it_was_scored(console: Console, evaluation: Evaluation) -> None:
    oracle, nop = evaluation.runs[evaluation.scenario_ids[0]]
    html = console.page(f"/runs/{oracle.id}")
    _is_harmless(html)
    assert "score 1.000" in html
    assert "score 0.500" in html
    assert "exit status 0" in html
    assert 'class="a-f1">red' in html
    assert "title" not in html.split('class="a-f1">red')[0].rsplit("\n", 1)[-1]
    assert "lost points at: half" in html
    assert "lines, as they were before the scorers began" in html
    assert '<span class="add">+right' in html
    assert "&lt;img src=x onerror=window.hit=6&gt;" in html
    assert "more characters" in html  # the problem statement is cut
    assert f"/console/jobs/{evaluation.job_id}" in html
    html = console.page(f"/runs/{nop.id}")
    assert "lost points at: right, half" in html
    assert "no answer" in html


def test_a_broken_scenario_is_told_from_the_infrastructure(console: Console, evaluation: Evaluation) -> None:
    html = console.page(f"/runs/{evaluation.runs[evaluation.scenario_ids[3]][0].id}")
    assert "The scenario may be broken." in html
    assert "scenario broken" in html
    assert "not here" in html
    assert "exit status 3" in html


def test_what_was_put_back_is_listed(console: Console, evaluation: Evaluation, server: ServerProcess) -> None:
    run = evaluation.runs[evaluation.scenario_ids[2]][0]
    with server.client() as client:
        logs = client.scenarios.runs.download_logs(run.id).read()
    put_back = json.loads(zipfile.ZipFile(io.BytesIO(logs)).read("manifest.json"))["put_back"]
    html = console.page(f"/runs/{run.id}")
    assert ("Put back before scoring" in html) == bool(put_back and put_back["count"])


def test_a_run_is_downloaded(console: Console, evaluation: Evaluation) -> None:
    run = evaluation.runs[evaluation.scenario_ids[0]][0]
    answer = console.get(f"/console/runs/{run.id}/run.json")
    assert answer.headers["content-disposition"] == f'attachment; filename="{run.id}.json"'
    told = answer.json()
    assert told["scoring_contract_result"]["score"] == 0.75
    assert told["id"] == run.id
    assert [one["execution_id"] for one in told["commands"]] == ["agent.run"]
    archive = zipfile.ZipFile(io.BytesIO(console.get(f"/console/runs/{run.id}/logs.zip").content))
    assert {"run.json", "manifest.json"} <= set(archive.namelist())


def test_the_output_of_a_command_is_a_part_of_a_page_or_a_page(console: Console, evaluation: Evaluation) -> None:
    run = evaluation.runs[evaluation.scenario_ids[0]][0]
    whole = console.page(f"/runs/{run.id}/commands/agent.run")
    part = console.get(f"/console/runs/{run.id}/commands/agent.run", headers={"hx-request": "true"}).text
    assert "<html" in whole
    assert "<html" not in part
    _is_harmless(part)
    assert "&lt;script&gt;" in part
    console.page(f"/runs/{run.id}/commands/none", expect=404)
    console.page(f"/runs/{run.id}/commands/{'x' * 2000}", expect=400)


def test_a_run_is_steered_from_its_page(console: Console, server: ServerProcess) -> None:
    with server.client() as client:
        scenario_id = client.scenarios.create(**scenario(bash("always", "echo score=1.0"), name=f"steered {EVIL}")).id
        started = console.change(f"/scenarios/{scenario_id}/start-run").headers["location"]
        run_id = started.rsplit("/", 1)[-1]
        html = console.page(f"/runs/{run_id}")
        _is_harmless(html)
        assert f"/console/runs/{run_id}/score" in html
        assert "The run is started" in html
        assert "The run is started" not in console.page(f"/runs/{run_id}")
        console.change(f"/runs/{run_id}/score")
        client.scenarios.runs.await_scored(run_id)
        console.change(f"/runs/{run_id}/complete")
        assert client.scenarios.runs.retrieve(run_id).state == "completed"
        console.change(f"/runs/{run_id}/cancel", expect=409)
        html = console.page(f"/runs/{run_id}")
        assert f"/console/runs/{run_id}/score" not in html
        again = console.change(f"/runs/{run_id}/again").headers["location"].rsplit("/", 1)[-1]
        assert client.scenarios.runs.retrieve(again).scenario_id == scenario_id
        console.change(f"/runs/{again}/cancel")
        assert client.scenarios.runs.retrieve(again).state == "canceled"
        assert "Somebody canceled the run" in console.page(f"/runs/{again}")
        console.change(f"/scenarios/{scenario_id}/archive")
        assert client.scenarios.retrieve(scenario_id).status == "archived"
        console.change(f"/runs/{run_id}/again", expect=409)


def test_a_change_needs_the_sessions_token(console: Console, evaluation: Evaluation) -> None:
    run = evaluation.runs[evaluation.scenario_ids[0]][0]
    answer = console.post(f"/console/runs/{run.id}/again", data={"csrf": "wrong"})
    assert answer.status_code == 403
    assert console.get(f"/console/runs/{run.id}/again").status_code in (404, 405)


def test_a_scenario_has_its_contract_and_history(console: Console, evaluation: Evaluation) -> None:
    html = console.page(f"/scenarios/{evaluation.scenario_ids[0]}")
    _is_harmless(html)
    assert "weight 50 %" in html
    assert "bash_script_scorer" in html
    assert "2 in all, 2 here" in html
    assert "Reference output" in html


def test_a_benchmark_has_its_scenarios_and_runs(console: Console, evaluation: Evaluation) -> None:
    html = console.page(f"/benchmarks/{evaluation.benchmark_id}")
    _is_harmless(html)
    assert "4 in all, 4 here" in html
    assert "2 in all, 2 here" in html
    for one in (*evaluation.scenario_ids, *evaluation.benchmark_run_ids):
        assert one in html


def test_a_benchmark_run_has_its_progress_and_runs(console: Console, evaluation: Evaluation) -> None:
    run_id = evaluation.benchmark_run_ids[0]
    html = console.page(f"/benchmark-runs/{run_id}")
    _is_harmless(html)
    assert "3 of 4" in html
    assert "75 %" in html
    assert "3 in all, 3 here" in console.page(f"/benchmark-runs/{run_id}?state=completed")
    console.change(f"/benchmark-runs/{run_id}/cancel", expect=409)


def test_a_benchmark_run_is_ended_from_its_page(
    console: Console, evaluation: Evaluation, server: ServerProcess
) -> None:
    with server.client() as client:
        first, second = (client.benchmarks.start_run(benchmark_id=evaluation.benchmark_id).id for _ in range(2))
        console.change(f"/benchmark-runs/{first}/complete")
        console.change(f"/benchmark-runs/{second}/cancel")
        assert client.benchmark_runs.retrieve(first).state == "completed"
        assert client.benchmark_runs.retrieve(second).state == "canceled"


def test_a_job_is_a_grid_of_its_trials(console: Console, evaluation: Evaluation) -> None:
    html = console.page(f"/jobs/{evaluation.job_id}")
    _is_harmless(html)
    assert "second by oracle: attempt 1: score 0.75" in html
    assert "second by nop: attempt 1: score 0.125" in html
    assert html.count("broken by oracle: attempt") >= 3 * 2  # twice tried again; each is told twice
    assert "scenario broken" in html
    assert "1 lost to the infrastructure or broken scenarios" in html
    for runs in evaluation.runs.values():
        for run in runs:
            assert f'href="/console/runs/{run.id}"' in html
    assert "Scenarios 1 to 4 of 4" in html
    assert "No trial" in console.page(f"/jobs/{evaluation.job_id}?first=9999999999")
    console.page(f"/jobs/{evaluation.job_id}?first=-1", expect=400)
    console.page(f"/jobs/{evaluation.job_id}?first={10**30}", expect=400)


def test_a_job_is_started_by_the_form(console: Console, evaluation: Evaluation, server: ServerProcess) -> None:
    form = console.page(f"/jobs/new?benchmark_id={evaluation.benchmark_id}")
    _is_harmless(form)
    key = form.split('name="request_key" value="')[1].split('"')[0]
    data = {
        "source": "scenarios",
        "scenario_ids": evaluation.scenario_ids[1],
        "job_name": f"by form {EVIL}",
        "agent.0.name": "nop",
        "max_cost_usd": "1.5",
        "max_tokens": "1000",
        "request_key": key,
    }
    shown = console.change("/jobs/preview", data, expect=200).text
    assert "client.benchmark_jobs.create(" in shown
    assert "curl" in shown
    _is_harmless(shown)
    where = console.change("/jobs/new", {**data, "do": "start"}).headers["location"]
    assert console.change("/jobs/new", {**data, "do": "start"}).headers["location"] == where  # sent twice
    with server.client() as client:
        job = client.benchmark_jobs.retrieve(where.rsplit("/", 1)[-1])
        run_ids = [one.benchmark_run_id for one in (job.in_progress_runs or [])]
        run_ids += [one.benchmark_run_id for one in (job.benchmark_outcomes or [])]
        metadata = client.benchmark_runs.retrieve(run_ids[0]).metadata
    assert metadata["loopyard.max_cost_usd"] == "1.500000000"
    assert metadata["loopyard.max_tokens"] == "1000"


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        ({"agent.0.name": "none such"}, 404, "none such"),
        ({"agent.0.name": "nop", "agent.0.secrets": "A=none"}, 404, "There is no secret none."),
        ({"agent.0.name": "nop", "benchmark_id": "bmk_0"}, 404, "There is no benchmark bmk_0."),
        ({"agent.0.name": "nop", "n_attempts": "99"}, 400, "n_attempts"),
        ({"agent.0.name": ""}, 400, "Agent 1"),
        ({"agents": "x"}, 400, "1 to 100 agents"),
    ],
    ids=str,
)
def test_a_form_that_cannot_be_is_shown_again(
    console: Console, evaluation: Evaluation, changed: dict[str, str], status: int, said: str
) -> None:
    data = {"do": "start", "source": "benchmark", "benchmark_id": evaluation.benchmark_id, "job_name": EVIL, **changed}
    html = console.change("/jobs/new", data, expect=status).text
    _is_harmless(html)
    assert said in html.split('role="alert">')[1].split("</p>")[0]


def test_agents_are_added_to_the_form(console: Console) -> None:
    html = console.change("/jobs/new", {"do": "add", "agent.0.name": "nop"}, expect=200).text
    assert 'name="agent.1.name"' in html
    html = console.change("/jobs/new", {"do": "drop", "agents": "2"}, expect=200).text
    assert 'name="agent.1.name"' not in html


def test_names_are_found_by_the_search(console: Console, evaluation: Evaluation) -> None:
    html = console.page("/search?q=second")
    assert f"/console/scenarios/{evaluation.scenario_ids[1]}" in html
    assert "/console/runs/scr_" in html
    assert console.get("/console/search", params={"q": evaluation.job_id}).headers["location"] == (
        f"/console/jobs/{evaluation.job_id}"
    )
