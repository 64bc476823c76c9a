"""Tokens and cost in reports and comparisons, for each scenario, each agent and a point of score."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from arro3.io import read_parquet
from typer.testing import CliRunner

from loopyard.bench.model_usage import ModelUsage, of_view
from loopyard.bench.reading import cost
from loopyard.bench.reading.attempt import Attempt, AttemptEnd
from loopyard.bench.reading.contender import Contender
from loopyard.bench.reading.summary import summarize
from loopyard.bench.report import document, write_json
from loopyard.bench.results import Result, State
from loopyard.bench.runner import Pace
from loopyard.cli import app

PRICED = ModelUsage(calls=3, input_tokens=1000, output_tokens=200, cache_read_tokens=800, cost_usd=0.5)
PARTLY = ModelUsage(calls=2, input_tokens=300, output_tokens=100, uncounted=1, unpriced=1, cost_usd=0.25)
UNPRICED = ModelUsage(calls=1, input_tokens=50, output_tokens=50, unpriced=1)


def attempt(scenario: str, score: float | None, usage: ModelUsage | None, **more: Any) -> Attempt:
    ending = AttemptEnd.INFRASTRUCTURE_FAILED if score is None else AttemptEnd.SCORED
    spent = cost.of_attempt({}, usage, None)
    return Attempt("here", "agent", scenario, ending, score, cost_usd=spent, model_usage=usage, **more)


def result(scenario: str, agent: str, score: float, usage: ModelUsage | None) -> Result:
    return Result(scenario, agent, State.SCORED, 1.0, score, model_usage=usage)


def call(*arguments: str) -> str:
    ended = CliRunner().invoke(app, ["bench", *arguments])
    assert ended.exit_code == 0, ended.output
    return ended.output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    results = [
        result("a", "one", 1.0, PRICED),
        result("b", "one", 0.5, PARTLY),
        result("a", "two", 0.0, UNPRICED),
        result("b", "two", 0.0, None),
    ]
    write_json(tmp_path / "r.json", document("b", results, Pace(1, 1), 0))
    return tmp_path / "r.json"


def test_a_point_of_score_is_over_the_attempts_that_count() -> None:
    attempts = [
        attempt("a", 1.0, PRICED),
        attempt("b", 0.5, PARTLY),
        attempt("b", None, PRICED),  # the infrastructure failed: it used tokens, but says nothing about the agent
        attempt("c", 1.0, None),  # nothing is known of its calls
    ]
    used = summarize(Contender("here", "agent", attempts)).usage
    assert used is not None
    assert (used.attempts, used.calls, used.input_tokens, used.output_tokens) == (3, 8, 2300, 500)
    assert used.tokens_per_point == pytest.approx((1200 + 400) / 1.5)
    assert used.cost_usd_per_point == pytest.approx((0.5 + 0.25) / 1.5)
    assert not used.whole


def test_without_a_score_there_is_no_point_and_without_calls_no_usage() -> None:
    used = summarize(Contender("here", "agent", [attempt("a", 0.0, PRICED)])).usage
    assert used is not None
    assert used.tokens_per_point is None
    assert summarize(Contender("here", "agent", [attempt("a", 1.0, None)])).usage is None


@pytest.mark.parametrize(
    ("metadata", "usage", "output", "told"),
    [
        ({"cost_usd": "2"}, PRICED, '{"cost_usd": 3}', 2.0),
        ({}, PRICED, '{"cost_usd": 3}', 0.5),
        ({}, PARTLY, '{"cost_usd": 3}', 3.0),
        ({}, PARTLY, "no cost", 0.25),
        ({}, UNPRICED, None, None),
        ({}, None, None, None),
    ],
)
def test_who_tells_the_cost(
    metadata: dict[str, str], usage: ModelUsage | None, output: str | None, told: float | None
) -> None:
    assert cost.of_attempt(metadata, usage, output) == told


def test_tables_and_markdown_tell_what_was_used(file: Path) -> None:
    for kind in ("table", "markdown"):
        text = " ".join(call("report", str(file), "--format", kind).split())
        assert "≥ 1,300" in text
        assert "1,067" in text  # (1,200 + 400) / 1.5
        assert "$0.50" in text
        assert "1 (1 of 2)" in text
        text = " ".join(call("compare", f"{file}:one", f"{file}:two", "--format", kind).split())
        assert "Tokens and cost of an attempt" in text
        assert "1,200" in text


def test_json_has_all_of_it(file: Path) -> None:
    content = json.loads(call("report", str(file), "--format", "json"))
    one, two = content["contenders"]
    assert one["usage"]["cache_read_tokens"] == 800
    assert [(each["tokens"], each["cost_usd"]) for each in one["scenarios"]] == [(1200.0, 0.5), (400.0, 0.25)]
    assert two["usage"]["attempts"] == 1
    assert content["attempts"][1]["model_usage"]["uncounted"] == 1
    compared = json.loads(call("compare", f"{file}:one", f"{file}:two", "--format", "json"))
    assert {one["scenario"]: (one["a_tokens"], one["b_tokens"]) for one in compared["changes"]} == {
        "a": (1200.0, 100.0),
        "b": (400.0, None),
    }


def test_csv_and_parquet_have_columns_for_it(file: Path, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(call("report", str(file), "--format", "csv"))))
    assert [row["input_tokens"] for row in rows] == ["1000", "300", "50", ""]
    assert [row["uncounted_calls"] for row in rows] == ["0", "1", "0", ""]
    rows = list(csv.DictReader(io.StringIO(call("compare", f"{file}:one", f"{file}:two", "--format", "csv"))))
    assert {row["scenario"]: (row["a_cost_usd"], row["b_tokens"]) for row in rows} == {
        "a": ("0.5", "100.0"),
        "b": ("0.25", ""),
    }
    call("report", str(file), "--format", "parquet", "--out", str(tmp_path / "r.parquet"))
    table = read_parquet(tmp_path / "r.parquet").read_all()
    assert table.column("reasoning_tokens").to_pylist() == [0, 0, 0, None]  # pyright: ignore[reportUnknownMemberType]


def test_what_a_server_tells_is_read() -> None:
    view: dict[str, Any] = dict.fromkeys(("calls", "unpriced", "input_tokens", "output_tokens", "reasoning_tokens"), 1)
    view |= {"cache_read_tokens": 0, "cache_write_tokens": 0, "cut_off": 2, "untold": 3, "models": [], "budget": None}
    usage = of_view({**view, "cost_usd": None})
    assert usage is not None
    assert (usage.tokens, usage.uncounted, usage.cost_usd) == (2, 5, None)
    assert of_view({**view, "cost_usd": 0.5, "calls": 0}) is None
    odd_ones: list[Any] = [None, [], {}, {**view, "cost_usd": "x"}]
    for odd in odd_ones:
        assert of_view(odd) is None
