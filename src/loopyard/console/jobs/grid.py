"""The grid of a job: each scenario by each agent, with every attempt."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from loopyard.bench.reading.from_views import label
from loopyard.benchmark_job.models import BenchmarkJob
from loopyard.benchmark_job.schemas import BenchmarkOutcomeView, JobSpecView, ScenarioOutcomeView
from loopyard.benchmark_job.trial.models import Trial
from loopyard.benchmark_job.trial.repository import Tally, TrialRepository
from loopyard.benchmark_job.trial.states import Fault, Result, Step
from loopyard.console.outcomes import WAITING, Outcome, of_result, of_trial
from loopyard.scenario.repository import ScenarioRepository

MOST_CELLS = 2000
"""Cells of a page of the grid, at most."""
MOST_ROWS = 100

_NOT_THE_AGENTS = frozenset({Fault.INFRASTRUCTURE, Fault.SCENARIO})


@dataclass(frozen=True, slots=True)
class AttemptShown:
    """An attempt in a cell. `number` counts from 1."""

    number: int
    outcome: Outcome
    run_id: str | None
    score: float | None
    reason: str | None
    counts: bool

    @property
    def words(self) -> str:
        """Text for a pointer on it, or a screen reader."""
        told = f"attempt {self.number}: {self.outcome.words}"
        return told if self.reason is None else f"{told}. {self.reason[:200]}"


@dataclass(frozen=True, slots=True)
class ScenarioLine:
    """A line of the grid: a scenario, and the attempts of each agent at it."""

    id: str
    name: str
    cells: list[list[AttemptShown]]


@dataclass(frozen=True, slots=True)
class AgentColumn:
    """A column of the grid: an agent configuration and how far it is."""

    name: str
    run_id: str
    waiting: int
    under_way: int
    scored: int
    failed: int
    lost: int
    """Trials that say nothing about the agent: the infrastructure or the scenario itself failed."""
    score: float | None
    """The mean over its completed scenarios until now."""

    @property
    def ended(self) -> int:
        return self.scored + self.failed


@dataclass(frozen=True, slots=True)
class Grid:
    columns: list[AgentColumn]
    lines: list[ScenarioLine]
    first: int
    total: int
    step: int

    @property
    def share(self) -> float:
        """How much of the job is done."""
        whole = self.total * len(self.columns)
        return min(1.0, sum(one.ended for one in self.columns) / whole) if whole else 0.0


def rows_at_once(agents: int) -> int:
    """How many scenarios a page of the grid has."""
    return max(1, min(MOST_ROWS, MOST_CELLS // max(1, agents)))


async def grid_of(
    session: AsyncSession, job: BenchmarkJob, outcomes: Sequence[BenchmarkOutcomeView], first: int
) -> Grid:
    """A page of the grid of a job, from its scenario at position `first` on."""
    if job.spec is None:
        return _grid_of_outcomes(outcomes, first)
    spec = JobSpecView.model_validate(job.spec)
    agents = [label(config.name, config.model_name) for config in spec.agent_configs]
    step = rows_at_once(len(agents))
    places = range(first, min(first + step, len(spec.scenario_ids)))
    tallies = await TrialRepository(session).tallies(job.id)
    found = await TrialRepository(session).list_of_scenarios(job.id, range(len(agents)), places)
    names = await ScenarioRepository(session).names_of([spec.scenario_ids[place] for place in places], job.account_id)
    by_cell: dict[tuple[int, int], list[Trial]] = {}
    for trial in found:
        by_cell.setdefault((trial.position, trial.scenario_position), []).append(trial)
    lines: list[ScenarioLine] = []
    for place in places:
        cells = [[_attempt(one) for one in by_cell.get((agent, place), [])] for agent in range(len(agents))]
        scenario_id = spec.scenario_ids[place]
        told = next((one.scenario_name for agent in range(len(agents)) for one in by_cell.get((agent, place), [])), "")
        lines.append(ScenarioLine(scenario_id, names.get(scenario_id) or told or scenario_id, cells))
    columns = [
        _column(agent, job.run_ids[position], [one for one in tallies if one.position == position])
        for position, agent in enumerate(agents)
    ]
    return Grid(columns, lines, first, len(spec.scenario_ids), step)


def _attempt(trial: Trial) -> AttemptShown:
    return AttemptShown(
        trial.number + 1,
        of_trial(trial),
        trial.scenario_run_id,
        trial.score,
        trial.exception_message,
        counts=trial.final or trial.step != Step.ENDED,
    )


def _column(agent: str, run_id: str, tallies: Sequence[Tally]) -> AgentColumn:
    ended = [one for one in tallies if one.step == Step.ENDED]
    scored = sum(one.final for one in ended if one.result == Result.COMPLETED)
    points = sum(one.score for one in ended if one.result == Result.COMPLETED)
    return AgentColumn(
        agent,
        run_id,
        waiting=sum(one.n for one in tallies if one.step == Step.WAITING),
        under_way=sum(one.n for one in tallies if one.step not in (Step.WAITING, Step.ENDED)),
        scored=scored,
        failed=sum(one.final for one in ended if one.result != Result.COMPLETED),
        lost=sum(one.final for one in ended if one.fault in _NOT_THE_AGENTS),
        score=points / scored if scored else None,
    )


def _grid_of_outcomes(outcomes: Sequence[BenchmarkOutcomeView], first: int) -> Grid:
    """The grid of a job that has no trials of its own, such as one of Harbor's: of what came of it."""
    agents = [label(one.agent_name, one.model_name) for one in outcomes]
    step = rows_at_once(len(agents))
    named: dict[str, list[list[ScenarioOutcomeView]]] = {}
    for position, outcome in enumerate(outcomes):
        for one in outcome.scenario_outcomes:
            named.setdefault(one.scenario_name, [[] for _ in outcomes])[position].append(one)
    lines = [
        ScenarioLine(
            next(one.scenario_definition_id for cell in cells for one in cell),
            name,
            [[_outcome(number, one) for number, one in enumerate(cell, 1)] or [_NOTHING] for cell in cells],
        )
        for name, cells in list(named.items())[first : first + step]
    ]
    columns = [
        AgentColumn(
            agent,
            one.benchmark_run_id,
            waiting=0,
            under_way=0,
            scored=one.n_completed,
            failed=one.n_failed + one.n_timeout,
            lost=sum(_is_lost(each) for each in one.scenario_outcomes),
            score=one.average_score,
        )
        for agent, one in zip(agents, outcomes, strict=True)
    ]
    return Grid(columns, lines, first, len(named), step)


_NOTHING = AttemptShown(1, WAITING, None, None, None, counts=True)


def _outcome(number: int, one: ScenarioOutcomeView) -> AttemptShown:
    reason = one.failure_reason
    fault = None if reason is None else reason.fault
    words = None if reason is None else f"{reason.exception_type}: {reason.exception_message}"
    outcome = of_result(one.state, one.score, fault)
    return AttemptShown(number, outcome, one.scenario_run_id, one.score, words, counts=True)


def _is_lost(one: ScenarioOutcomeView) -> bool:
    return one.failure_reason is not None and one.failure_reason.fault in _NOT_THE_AGENTS
