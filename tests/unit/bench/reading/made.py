"""Attempts and result files for tests of reports."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loopyard.bench.reading.attempt import Attempt, AttemptEnd, ScorerScore
from loopyard.bench.reading.contender import Contender
from loopyard.bench.report import document, write_json
from loopyard.bench.results import AgentResult, FunctionResult, Result, State
from loopyard.bench.runner import Pace


def attempt(scenario: str, score: float | None, *, ending: AttemptEnd = AttemptEnd.SCORED, **more: Any) -> Attempt:
    return Attempt("here", "agent", scenario, ending, score, **more)


def contender(scores: dict[str, Sequence[float | None]], source: str = "here") -> Contender:
    """A contender with these scores for each scenario; None stands for a failure of the infrastructure."""
    attempts = [
        attempt(scenario, score, ending=AttemptEnd.INFRASTRUCTURE_FAILED if score is None else AttemptEnd.SCORED)
        for scenario, own in scores.items()
        for score in own
    ]
    return Contender(source, "agent", attempts)


def scorer(name: str, score: float, *, failed: bool = False) -> ScorerScore:
    return ScorerScore(name, score, failed)


def result(scenario: str, agent: str, score: float | None, output: str = "") -> Result:
    """As `loopyard bench run` has it; without a score it is a failure of the infrastructure."""
    if score is None:
        return Result(scenario, agent, State.INFRASTRUCTURE_FAILED, 3.0, reason="the box\nended", run_id="scr_x")
    functions = [FunctionResult("tests", score, "complete", "out"), FunctionResult("style", 0.0, "error", "no")]
    return Result(
        scenario, agent, State.SCORED, 2.0, score, run_id=f"scr_{scenario}",
        agent_result=AgentResult(0, timed_out=False, output=output), functions=functions,
    )  # fmt: skip


def write_results(path: Path, results: Sequence[Result]) -> Path:
    """What `loopyard bench run --json` writes of these results, by its own code."""
    write_json(path, document("b", results, Pace(4, 60), 0))
    assert json.loads(path.read_text())["results"]
    return path
