"""Comparisons and the leaderboard: the figures of `bench report` and `bench compare`, on pages and as files."""

import csv
import io
from collections.abc import Sequence

import httpx
import pytest

from loopyard.bench.reading import documents, rows
from loopyard.bench.reading.attempt import Attempt
from loopyard.bench.reading.comparison import compare
from loopyard.bench.reading.contender import contenders
from loopyard.bench.reading.from_server import ServerReader
from loopyard.bench.reading.summary import summarize
from tests.console import Console
from tests.integration.console.evaluation.making import SCRIPT, Evaluation
from tests.serving import ServerProcess

pytestmark = pytest.mark.anyio


async def _read(server: ServerProcess, sources: Sequence[str]) -> list[Attempt]:
    async with server.async_client() as client:
        reader = ServerReader(client)
        return [attempt for source in sources for attempt in await reader.read(source)]


def _get(console: Console, path: str, *of: str, **params: str) -> httpx.Response:
    answer = console.get(f"/console{path}", params={"of": list(of), **params})
    assert answer.status_code == 200, answer.text
    return answer


async def test_a_comparison_is_that_of_bench_compare(
    console: Console, evaluation: Evaluation, server: ServerProcess
) -> None:
    oracle, nop = evaluation.benchmark_run_ids
    expected = compare(*contenders(await _read(server, [oracle, nop])), pass_score=0.7)
    told = _get(console, "/compare/download.json", oracle, nop, pass_score="0.7")
    assert told.text == documents.text(documents.of_comparison(expected))
    told = _get(console, "/compare/download.csv", oracle, nop)
    assert told.text == rows.csv_text(rows.CHANGE_COLUMNS, rows.of_changes(expected.changes))
    assert told.headers["content-disposition"] == 'attachment; filename="comparison.csv"'


async def test_a_report_is_that_of_bench_report(
    console: Console, evaluation: Evaluation, server: ServerProcess
) -> None:
    for source in (evaluation.job_id, *evaluation.benchmark_run_ids):
        attempts = await _read(server, [source])
        summaries = [summarize(one) for one in contenders(attempts)]
        told = _get(console, "/compare/report.json", source)
        assert told.text == documents.text(documents.of_report(summaries, attempts))


async def test_parquet_is_read_as_the_csv_says(console: Console, evaluation: Evaluation) -> None:
    from arro3.io import read_parquet

    told = _get(console, "/compare/report.parquet", evaluation.job_id)
    table = read_parquet(io.BytesIO(told.content)).read_all()
    lines = list(csv.DictReader(io.StringIO(_get(console, "/compare/report.csv", evaluation.job_id).text)))
    assert table.num_rows == len(lines) > 0
    assert table.column_names == list(lines[0])


async def test_a_page_shows_regressions_first(console: Console, evaluation: Evaluation) -> None:
    oracle, nop = evaluation.benchmark_run_ids
    html = _get(console, "/compare", oracle, nop).text
    assert SCRIPT not in html
    assert html.index(">Regressions</strong>") < html.index(">Not compared")
    assert "side by side" in html
    assert "no difference" in html or "worse" in html
    # The other way round, what was worse is better.
    assert ">Improvements</strong>" in _get(console, "/compare", nop, oracle).text


async def test_agents_of_a_job_are_compared_by_name(console: Console, evaluation: Evaluation) -> None:
    job_id = evaluation.job_id
    html = _get(console, "/compare", f"{job_id}:nop", f"{job_id}:oracle").text
    assert "B against A" in html
    assert "C against A" in _get(console, "/compare", job_id, evaluation.benchmark_run_ids[0]).text
    assert "B against A" not in _get(console, "/compare", f"{job_id}:nop").text


@pytest.mark.parametrize(
    ("of", "status", "said"),
    [
        (["nonsense"], 400, "neither the id"),
        (["bmr_0000"], 404, "There is no benchmark run"),
        (["bmj_0000"], 404, "There is no benchmark job"),
        ([f"bmr_{SCRIPT}"], 404, "There is no benchmark run"),
        (["x" * 2000], 400, "of"),
        (["bmr_1"] * 100, 400, "of"),
    ],
    ids=["nonsense", "run", "job", "hostile", "long", "many"],
)
async def test_what_cannot_be_compared_is_said(console: Console, of: list[str], status: int, said: str) -> None:
    for path in ("/compare", "/compare/report.csv", "/leaderboard"):
        answer = console.get(f"/console{path}", params={"of": of})
        assert answer.status_code == status, path
        assert said in answer.text
        assert SCRIPT not in answer.text


async def test_an_agent_that_is_not_there_is_said(console: Console, evaluation: Evaluation) -> None:
    answer = console.get("/console/compare", params={"of": f"{evaluation.job_id}:{SCRIPT}"})
    assert answer.status_code == 404
    assert "it has: oracle, nop" in answer.text
    assert SCRIPT not in answer.text
    for path in ("/compare?pass_score=2", "/compare?pass_score=nan", "/compare/report.exe?of=bmr_1"):
        console.page(path, expect=400)
    console.page("/compare/report.csv", expect=400)


async def test_two_runs_stand_side_by_side(console: Console, evaluation: Evaluation) -> None:
    first, second = evaluation.runs[evaluation.scenario_ids[0]]
    html = console.page(f"/compare/runs?a={first.id}&b={second.id}")
    assert SCRIPT not in html
    assert "Output of scorer half" in html
    assert "only in B: </span>no answer" in html
    assert "The same in both." not in html.split("Output of scorer half")[1].split("<h2>")[0]
    other = evaluation.runs[evaluation.scenario_ids[1]][0]
    assert "different scenarios" in console.page(f"/compare/runs?a={first.id}&b={other.id}")
    console.page(f"/compare/runs?a={first.id}&b=scr_0", expect=404)
    console.page(f"/compare/runs?a={first.id}", expect=400)


async def test_the_leaderboard_ranks_agents(console: Console, evaluation: Evaluation, server: ServerProcess) -> None:
    html = console.page(f"/leaderboard?benchmark_id={evaluation.benchmark_id}")
    assert SCRIPT not in html
    assert html.index(">oracle</th>") < html.index(">nop</th>")
    assert '<td class="number rank">2</td>' in html
    told = console.get(f"/console/leaderboard/download.json?benchmark_id={evaluation.benchmark_id}").json()
    attempts = await _read(server, evaluation.benchmark_run_ids)
    expected = documents.of_report([summarize(one) for one in contenders(attempts, together=True)], attempts)
    by_agent = {one["agent"]: one["score"] for one in told["contenders"]}
    assert by_agent == {one["agent"]: one["score"] for one in expected["contenders"]}
    console.page("/leaderboard?benchmark_id=bmk_0", expect=404)
    console.page("/leaderboard/download.csv?benchmark_id=bmk_0", expect=400)
    assert evaluation.benchmark_id in console.page("/leaderboard")
