"""What a job's page asks of trials, on both engines."""

from typing import Any

import pytest

from loopyard.benchmark_job.trial.models import Trial
from loopyard.benchmark_job.trial.repository import Tally, TrialRepository
from loopyard.benchmark_job.trial.states import Fault, Result, Step
from loopyard.kit.db.database import Database
from loopyard.kit.ids import new_id

pytestmark = pytest.mark.anyio


def _trial(position: int, scenario_position: int, number: int = 0, *, job_id: str = "bmj_1", **fields: object) -> Trial:
    given: dict[str, object] = {
        "step": Step.ENDED,
        "result": Result.COMPLETED,
        "final": True,
        "not_before_ms": 1,
        "timeout_seconds": 60.0,
        "agent_failures": 0,
        "infrastructure_failures": 0,
        "create_time_ms": 1,
        **fields,
    }
    return Trial(
        id=new_id("trl"),
        account_id="acc_1",
        job_id=job_id,
        benchmark_run_id=f"bmr_{position}",
        position=position,
        scenario_position=scenario_position,
        number=number,
        scenario_id=f"scn_{scenario_position}",
        scenario_name=f"scenario {scenario_position}",
        **given,
    )


@pytest.fixture
async def filled(database: Database) -> Database:
    """A job of two agents and three scenarios, and another job."""
    broken: dict[str, Any] = {"result": Result.FAILED, "fault": Fault.INFRASTRUCTURE}
    rows = [
        _trial(0, 0, score=1.0),
        _trial(0, 1, final=False, **broken),
        _trial(0, 1, 1, score=0.5),
        _trial(0, 2, step=Step.WAITING, result=None, final=False),
        _trial(1, 0, **broken),
        _trial(1, 1, step=Step.WORKING, result=None, final=False),
        _trial(1, 2, step=Step.WAITING, result=None, final=False),
        _trial(0, 0, job_id="bmj_2", score=1.0),
    ]
    async with database.write() as session:
        session.add_all(rows)
    return database


async def test_tallies_count_each_agents_attempts_by_how_they_are(filled: Database) -> None:
    async with filled.read() as session:
        found = await TrialRepository(session).tallies("bmj_1")
    assert found == [
        Tally(0, "ended", "COMPLETED", None, n=2, final=2, score=1.5),
        Tally(0, "ended", "FAILED", "infrastructure", n=1, final=0, score=0.0),
        Tally(0, "waiting", None, None, n=1, final=0, score=0.0),
        Tally(1, "ended", "FAILED", "infrastructure", n=1, final=1, score=0.0),
        Tally(1, "waiting", None, None, n=1, final=0, score=0.0),
        Tally(1, "working", None, None, n=1, final=0, score=0.0),
    ]


async def test_there_are_no_tallies_of_a_job_without_trials(database: Database) -> None:
    async with database.read() as session:
        assert await TrialRepository(session).tallies("bmj_none") == []


async def test_a_part_of_the_grid_has_every_attempt_in_order(filled: Database) -> None:
    async with filled.read() as session:
        found = await TrialRepository(session).list_of_scenarios("bmj_1", range(2), range(1, 3))
    places = [(trial.position, trial.scenario_position, trial.number) for trial in found]
    assert places == [(0, 1, 0), (0, 1, 1), (0, 2, 0), (1, 1, 0), (1, 2, 0)]
