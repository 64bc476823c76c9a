"""The journal of a bench as a file."""

import json
from pathlib import Path

import pytest

from loopyard.bench.agents import BUILT_IN, CommandAgent
from loopyard.bench.journal import Journal, JournalFault, journal, place
from loopyard.bench.loader import load
from loopyard.bench.plan import PlannedTrial, plan
from loopyard.bench.results import AgentResult, FunctionResult, Result, State
from tests.integration.bench.folders import write_tiny

SCORED = Result(
    "s",
    "a",
    State.SCORED,
    1.5,
    0.5,
    agent_result=AgentResult(3, False, "out"),
    functions=[FunctionResult("f", 0.5, "complete", "o")],
)
FAILED = Result("s", "a", State.INFRASTRUCTURE_FAILED, 1.5, reason="no box")


@pytest.fixture
def trial(tmp_path: Path) -> PlannedTrial:
    write_tiny(tmp_path / "suite")
    return plan(load(tmp_path / "suite"), [BUILT_IN["oracle"]])[0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return place(tmp_path, "bench")


def test_what_is_kept_is_found_again(path: Path, trial: PlannedTrial) -> None:
    with journal(path, resume=False) as kept:
        entry = kept.entry(trial, 60)
        request_id = entry.starting()
        assert entry.starting() == request_id
        entry.started("scr_1")
    with journal(path, resume=True) as kept:
        entry = kept.entry(trial, 60)
        assert (entry.request_id, entry.run_id, entry.turn_over, entry.result) == (request_id, "scr_1", False, None)
        entry.took_turn(SCORED.agent_result)
    with journal(path, resume=True) as kept:
        entry = kept.entry(trial, 60)
        assert (entry.turn_over, entry.agent_result) == (True, SCORED.agent_result)
        entry.ended(SCORED)
    with journal(path, resume=True) as kept:
        assert kept.entry(trial, 60).result == SCORED
    with journal(path, resume=False) as kept:
        assert kept.entry(trial, 60).result is None


def test_a_trial_that_was_not_scored_is_as_if_it_had_never_begun(path: Path, trial: PlannedTrial) -> None:
    with journal(path, resume=False) as kept:
        entry = kept.entry(trial, 60)
        first = entry.starting()
        entry.started("scr_1")
        entry.ended(FAILED)
        assert entry.starting() != first
    with journal(path, resume=True) as kept:
        entry = kept.entry(trial, 60)
        assert (entry.run_id, entry.turn_over, entry.result) == (None, False, None)


def test_a_line_that_was_cut_off_counts_for_nothing_and_those_after_it_are_whole(
    path: Path, trial: PlannedTrial
) -> None:
    with journal(path, resume=False) as kept:
        kept.entry(trial, 60).starting()
        kept.entry(trial, 60).started("scr_1")
    whole = path.read_bytes()
    for cut in (1, 5):
        path.write_bytes(whole[:-cut])
        with journal(path, resume=True) as kept:
            assert kept.entry(trial, 60).run_id is None
            kept.entry(trial, 60).started("scr_2")
        with journal(path, resume=True) as kept:
            assert kept.entry(trial, 60).run_id == "scr_2"
        assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["starting", "started"]


def test_another_time_or_agent_is_another_trial_whose_run_is_abandoned(path: Path, trial: PlannedTrial) -> None:
    def found(kept: Journal, *asked: tuple[PlannedTrial, float]) -> list[str | None]:
        return [kept.entry(*each).run_id for each in asked]

    other = PlannedTrial(
        trial.scenario, CommandAgent("oracle", "true"), CommandAgent("oracle", "true").turn(trial.scenario), {}
    )
    with journal(path, resume=False) as kept:
        kept.entry(trial, 60).starting()
        kept.entry(trial, 60).started("scr_1")
    with journal(path, resume=True) as kept:
        assert found(kept, (trial, 61), (other, 60)) == [None, None]
        assert kept.abandoned() == ["scr_1"]
        assert found(kept, (trial, 60)) == ["scr_1"]
        assert kept.abandoned() == []


def test_one_bench_at_a_time_has_a_journal_and_it_is_its_owners_alone(path: Path) -> None:
    with journal(path, resume=True):  # one that was never begun starts
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(JournalFault, match="under way"), journal(path, resume=False):
            pass
