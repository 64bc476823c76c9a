"""`loopyard bench report` and `compare` on files, as users call them."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from arro3.io import read_parquet
from typer.testing import CliRunner

from loopyard.cli import app
from tests.unit.bench.reading.made import result, write_results


@pytest.fixture
def file(tmp_path: Path) -> Path:
    scores = [("s1", 1.0), ("s1", 0.0), ("s2", 1.0), ("s2", None), ("s|3", 0.5)]
    costly = '{"total_cost_usd": 0.25}'
    results = [result(scenario, "one", score, costly) for scenario, score in scores]
    return write_results(tmp_path / "a.json", [*results, result("s1", "two", 0.0), result("s2", "two", 1.0)])


def call(*arguments: str, status: int = 0) -> str:
    ended = CliRunner().invoke(app, ["bench", *arguments])
    assert ended.exit_code == status, ended.output
    return ended.output


def test_a_table_is_for_people(file: Path) -> None:
    text = call("report", str(file))
    assert "0.625" in text
    assert "$1.00 (4 of 5)" in text
    assert "Failures of the infrastructure" in text
    assert "the box ended" in text
    assert "style 0.00 (2 in error)" in text


def test_markdown_has_a_table_for_each_section_and_breaks_at_no_name(file: Path) -> None:
    text = call("report", str(file), "--format", "markdown")
    blocks = text.split("### ")[1:]
    assert [block.splitlines()[0] for block in blocks] == [
        "Scores", "Pass rates", "Scorers", "Tokens and cost", "Scenarios, the lowest scores first",
        "Failures of the infrastructure",
    ]  # fmt: skip
    for block in blocks:
        lines = [line for line in block.splitlines() if line.startswith("|")]
        assert len({line.replace("\\|", "").count("|") for line in lines}) == 1
    assert "s\\|3" in text


def test_json_has_all_figures_and_attempts(file: Path) -> None:
    content = json.loads(call("report", str(file), "--format", "json"))
    one, two = content["contenders"]
    assert (one["agent"], one["score"]["mean"], one["score"]["clusters"]) == ("one", 0.625, 3)
    assert (two["agent"], two["score"]["mean"], two["attempts"]) == ("two", 0.5, 2)
    assert [attempt["counted"] for attempt in content["attempts"]] == [1.0, 0.0, 1.0, None, 0.5, 0.0, 1.0]
    assert one["failures"] == [{"scenario": "s2", "run_id": "scr_x", "reason": "the box\nended"}]


def test_csv_and_parquet_have_the_same_row_for_each_attempt(file: Path, tmp_path: Path) -> None:
    written = list(csv.DictReader(io.StringIO(call("report", str(file), "--format", "csv"))))
    assert len(written) == 7
    assert [row["attempt"] for row in written] == ["1", "2", "1", "2", "1", "1", "1"]
    target = tmp_path / "rows.parquet"
    call("report", str(file), "--format", "parquet", "--out", str(target))
    table = read_parquet(target).read_all()
    columns: dict[str, list[Any]] = {}
    for name in table.column_names:
        columns[name] = table.column(name).to_pylist()  # pyright: ignore[reportUnknownMemberType]
    assert list(columns) == list(written[0])
    assert columns["score"] == [1.0, 0.0, 1.0, None, 0.5, 0.0, 1.0]
    for name, values in columns.items():
        assert [row[name] for row in written] == ["" if value is None else str(value) for value in values]


def test_runs_can_be_counted_together(file: Path, tmp_path: Path) -> None:
    more = write_results(tmp_path / "b.json", [result("s1", "one", 1.0)])
    content = json.loads(call("report", str(file), str(more), "--together", "--format", "json"))
    assert [(one["agent"], one["score"]["n"]) for one in content["contenders"]] == [("one", 5), ("two", 2)]
    apart = json.loads(call("report", str(file), str(more), "--format", "json"))
    assert [(one["source"], one["agent"]) for one in apart["contenders"]] == [
        (str(file), "one"), (str(file), "two"), (str(more), "one"),
    ]  # fmt: skip


def test_two_agents_of_one_file_are_compared(file: Path, tmp_path: Path) -> None:
    text = call("compare", f"{file}:one", f"{file}:two", "--format", "markdown")
    assert text.index("### Regressions") < text.index("### Scores")
    rows = list(csv.DictReader(io.StringIO(call("compare", f"{file}:one", f"{file}:two", "--format", "csv"))))
    assert [(row["scenario"], row["difference"]) for row in rows] == [("s1", "-0.5"), ("s2", "0.0"), ("s|3", "")]
    target = tmp_path / "c.json"
    assert call("compare", f"{file}:one", f"{file}:two", "--format", "json", "--out", str(target)) == ""
    assert json.loads(target.read_text())["difference"]["mean"] == -0.25


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["report", "{folder}/none.json"], "is neither a file, nor the id of a benchmark run"),
        (["report", "{folder}/bad.json"], "results.0.score: Input should be less than or equal to 1"),
        (["report", "{folder}/text"], "is no file of `loopyard bench run --json`: Invalid JSON"),
        (["report", "bmr_01"], "set RUNLOOP_BASE_URL and RUNLOOP_API_KEY"),
        (["report", "{folder}/a.json", "--format", "parquet"], "name a file with --out"),
        (["report", "{folder}/a.json", "--format", "csv", "--out", "{folder}/no/x"], "cannot be written"),
        (["compare", "{folder}/a.json", "{folder}/a.json:one"], "name one: {folder}/a.json:one, {folder}/a.json:two"),
        (["compare", "{folder}/a.json:three", "{folder}/a.json:one"], "has no agent 'three'; it has: one, two"),
    ],
)
def test_what_cannot_be_read_or_written_is_told(
    file: Path, tmp_path: Path, arguments: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUNLOOP_BASE_URL", raising=False)
    content = json.loads(file.read_text())
    content["results"][0]["score"] = 3.0
    (tmp_path / "bad.json").write_text(json.dumps(content))
    (tmp_path / "text").write_text("no json")
    text = call(*(argument.format(folder=tmp_path) for argument in arguments), status=2)
    assert told.format(folder=tmp_path) in text


def test_a_missing_extra_is_named(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "arro3.core", None)
    text = call("report", str(file), "--format", "parquet", "--out", str(tmp_path / "x"), status=2)
    assert "pip install 'loopyard[parquet]'" in text
