"""What results mean, and how they are shown."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from loopyard.bench import report
from loopyard.bench.results import (
    AgentResult,
    FunctionResult,
    Result,
    State,
    exit_status,
    summarize,
    with_broken_scenarios,
)
from loopyard.bench.runner import Pace


def scored(score: float, expected: float | None = None, agent: str = "agent", *, error: bool = False) -> Result:
    function = FunctionResult("f", score, "error" if error else "complete", "line 1\nline 2")
    return Result("s", agent, State.SCORED, 1.25, score, expected, run_id="scr_1", functions=[function])


FAILED = Result("s", "agent", State.INFRASTRUCTURE_FAILED, 3.0, reason="the box ended: failure (execution_failed)")
CANCELED = Result("s", "agent", State.CANCELED, 0.0, reason="interrupted")


def shown(*results: Result) -> str:
    console = Console(file=io.StringIO(), width=120, color_system=None)
    report.show(console, results)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([scored(1.0, 1.0), scored(0.0, 0.0)], 0),
        ([scored(0.0)], 0),
        ([scored(0.3), scored(0.9999999999, 1.0)], 0),
        ([scored(0.99, 1.0)], 1),
        ([scored(0.1, 0.0)], 1),
        ([scored(0.0, 0.0, error=True)], 1),
        ([scored(0.0, error=True)], 0),
        ([scored(1.0, 1.0), FAILED], 1),
        ([scored(1.0, 1.0), CANCELED], 1),
    ],
)
def test_the_exit_status_is_of_the_bench_and_not_of_the_agent(results: list[Result], status: int) -> None:
    assert exit_status(results) == status


def test_a_failure_of_the_infrastructure_does_not_count_in_the_mean() -> None:
    [summary] = summarize([scored(1.0), scored(0.5), FAILED, CANCELED])
    assert (summary.mean_score, summary.scored, summary.infrastructure_failed, summary.canceled) == (0.75, 2, 1, 1)
    [none] = summarize([FAILED])
    assert none.mean_score is None


def test_a_failure_of_the_infrastructure_is_shown_apart_from_a_score_of_zero() -> None:
    text = shown(scored(0.0), FAILED)
    assert "infrastructure failed, which says nothing about the agent" in text
    assert "the box ended: failure (execution_failed)" in text
    assert "mean score 0.000 (1 scored, 1 infrastructure failed, not counted)" in text
    assert "broken" not in text


def test_a_scenario_whose_box_is_never_set_up_is_broken_and_told_once() -> None:
    failed = [replace(FAILED, agent=agent, setup_failure=f"exited with 7\nat {agent}") for agent in ("a", "b", "c")]
    results = with_broken_scenarios([*failed, CANCELED])
    assert [result.state for result in results] == [*[State.BROKEN_SCENARIO] * 3, State.CANCELED]
    assert [result.broken for result in results] == [True, True, True, False]
    assert exit_status(results) == 1
    text = shown(*results)
    assert "the scenario is broken: its box could not be set up (3 attempts)" in text
    assert (text.count("exited with 7"), text.count("infrastructure")) == (1, 0)


@pytest.mark.parametrize("other", [scored(0.0), FAILED])
def test_a_setup_that_fails_at_times_is_a_failure_of_the_infrastructure(other: Result) -> None:
    results = [replace(FAILED, setup_failure="exited with 7"), other]
    assert with_broken_scenarios(results) == results


def test_a_broken_scenario_is_shown_with_the_end_of_its_scorers_output() -> None:
    long = "\n".join(f"line {number}" for number in range(1, 41))
    result = Result(
        "s[1]", "oracle", State.SCORED, 1.0, 0.5, 1.0,
        agent_result=AgentResult(3, timed_out=False, output="patch does not apply"),
        functions=[FunctionResult("f", 0.5, "complete", long)],
    )  # fmt: skip
    text = shown(result)
    assert "s[1] by oracle: the scenario is broken: oracle scored 0.5, not 1.0" in text
    assert "... 25 lines before" in text
    assert "line 26" in text
    assert "line 25\n" not in text
    assert "the agent exited with 3" in text
    assert "patch does not apply" in text


def test_a_sound_result_needs_no_words() -> None:
    assert report.details(scored(1.0, 1.0)) == []
    assert report.details(scored(0.0)) == []


def test_an_agent_out_of_time_is_told() -> None:
    result = Result("s", "a", State.SCORED, 1.0, 0.0, agent_result=AgentResult(124, timed_out=True, output=""))
    assert "ran out of time" in report.details(result)[0]


def test_an_agent_out_of_memory_is_told() -> None:
    ended = AgentResult(137, timed_out=False, output="", out_of_memory=True)
    result = Result("s", "a", State.SCORED, 1.0, 0.0, agent_result=ended)
    assert "the agent ran out of memory (exited with 137)" in report.details(result)[0]


def test_the_json_has_all_of_it(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    target.write_text("old")
    results = [scored(0.5, 1.0, "oracle"), FAILED]
    report.write_json(target, report.document("b", results, Pace(4, 60), 1))
    content = json.loads(target.read_text())
    assert content["benchmark"] == "b"
    assert (content["concurrency"], content["agent_timeout_seconds"], content["exit_status"]) == (4, 60, 1)
    first, second = content["results"]
    assert first["functions"] == [{"name": "f", "score": 0.5, "state": "complete", "output": "line 1\nline 2"}]
    assert (first["broken"], first["score"], first["run_id"]) == (True, 0.5, "scr_1")
    assert (second["state"], second["score"]) == ("infrastructure failed", None)
    assert [agent["agent"] for agent in content["agents"]] == ["oracle", "agent"]
    assert list(tmp_path.iterdir()) == [target]
