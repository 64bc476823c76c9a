"""Harbor's files as outcomes."""

import json
from pathlib import Path
from typing import Any

import pytest

from loopyard.benchmark_job.harbor import results
from loopyard.benchmark_job.harbor.allowed import Agent

ZERO = {"verifier_result": {"rewards": {"reward": 0}}}
AGENT = Agent(name="a", model_name="m")


def write(folder: Path, name: str, **changes: Any) -> None:
    """A trial's result, with the fields that Harbor 0.26 writes and that matter here."""
    trial: dict[str, Any] = {
        "schema_version": 1,
        "task_name": "org/task",
        "trial_name": name,
        "config": {"agent": {"name": "a", "model_name": "m", "kwargs": {}, "override_timeout_sec": None}},
        "verifier_result": {"rewards": {"reward": 1}},
        "exception_info": None,
        "started_at": "2026-01-01T00:00:00Z",
        "finished_at": "2026-01-01T00:00:01.500000Z",
        **changes,
    }
    (folder / name).mkdir()
    (folder / name / "result.json").write_text(json.dumps(trial))


def failed(kind: str) -> dict[str, Any]:
    info = {"exception_type": kind, "exception_message": "why\x00", "exception_traceback": "", "occurred_at": "x"}
    return {"verifier_result": None, "exception_info": info}


@pytest.mark.parametrize(
    ("changes", "state", "score", "reason"),
    [
        ({}, "COMPLETED", 1.0, None),
        ({"verifier_result": {"rewards": {"reward": 0.25, "other": 1}}}, "COMPLETED", 0.25, None),
        ({"verifier_result": {"rewards": {"only": 0.5}}}, "COMPLETED", 0.5, None),
        ({"verifier_result": {"rewards": {"a": 0.5, "b": 1}}}, "FAILED", None, None),
        ({"verifier_result": {"rewards": {"reward": 3}}}, "FAILED", None, "RewardOutOfRange"),
        (failed("AgentTimeoutError"), "TIMEOUT", None, "AgentTimeoutError"),
        (failed("AgentTimeoutError") | ZERO, "COMPLETED", 0.0, "AgentTimeoutError"),
        (failed("CancelledError"), "CANCELED", None, "CancelledError"),
        (failed("RewardFileNotFoundError"), "FAILED", None, "RewardFileNotFoundError"),
    ],
)  # fmt: skip
def test_a_trial_becomes_an_outcome(
    tmp_path: Path, changes: dict[str, Any], state: str, score: float | None, reason: str | None
) -> None:
    write(tmp_path, "t", **changes)
    found = results.outcome(AGENT, "bmr_1", results.trials(tmp_path), 7)
    [one] = found.scenario_outcomes
    assert (one.state, one.score, one.duration_ms, one.scenario_name) == (state, score, 1500, "org/task")
    assert (one.failure_reason.exception_type if one.failure_reason else None) == reason
    assert found.average_score == score
    assert (found.agent_name, found.model_name, found.duration_ms) == ("a", "m", 7)


def test_trials_are_told_apart_by_their_agents_and_every_attempt_counts(tmp_path: Path) -> None:
    other = {"agent": {"name": "a", "model_name": "m", "kwargs": {"x": 1}, "override_timeout_sec": None}}
    write(tmp_path, "t1")
    write(tmp_path, "t2", verifier_result={"rewards": {"reward": 0}})
    write(tmp_path, "t3", config=other)
    found = results.trials(tmp_path)
    mine = results.outcome(AGENT, "bmr_1", found, None)
    assert (mine.n_completed, mine.average_score, len(mine.scenario_outcomes)) == (2, 0.5, 2)
    theirs = results.outcome(Agent(name="a", model_name="m", kwargs={"x": 1}), "bmr_2", found, None)
    assert (theirs.n_completed, theirs.average_score) == (1, 1.0)


def test_devboxes_of_trials_that_were_cut_off_are_found(tmp_path: Path) -> None:
    write(tmp_path, "over")
    write(tmp_path, "open", finished_at=None)
    (tmp_path / "begun").mkdir()
    for name, box in (("over", "dbx_1"), ("open", "dbx_2"), ("begun", "dbx_3")):
        (tmp_path / name / "trial.log").write_text(f"x\nStarted devbox {box} for environment e\n")
    assert sorted(results.cut_off(tmp_path)) == ["dbx_2", "dbx_3"]
    assert [trial.trial_name for trial in results.trials(tmp_path)] == ["over"]
    (tmp_path / "result.json").write_text('{"finished_at": null}')
    assert not results.finished(tmp_path)
    (tmp_path / "result.json").write_text('{"finished_at": "2026-01-01T00:00:00"}')
    assert results.finished(tmp_path)
    (tmp_path / "over" / "result.json").write_text("{half")
    assert results.trials(tmp_path) == []
