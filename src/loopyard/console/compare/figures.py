"""Tables of the pages that compare, made of the figures that `bench report` and `bench compare` give."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from loopyard.bench.reading.attempt import Attempt, AttemptEnd, by_scenario
from loopyard.bench.reading.comparison import Change, Comparison, compare
from loopyard.bench.reading.contender import Contender, contenders
from loopyard.bench.reading.statistics.interval import Estimate
from loopyard.bench.reading.summary import TOLERANCE, ScenarioSummary, ScorerSummary, Summary, summarize
from loopyard.kit.errors import BadRequest, NotFound

MOST_CONTENDERS = 8


@dataclass(frozen=True, slots=True)
class Chosen:
    """A source of a comparison, as its address has it: a benchmark run or job, and one agent of it or all."""

    source: str
    agent: str | None

    @property
    def text(self) -> str:
        return self.source if self.agent is None else f"{self.source}:{self.agent}"

    @classmethod
    def read(cls, text: str) -> "Chosen":
        source, mark, agent = text.strip().partition(":")
        return cls(source.strip(), agent.strip() if mark and agent.strip() else None)


@dataclass(frozen=True, slots=True)
class Contest:
    """A contender against the first one. The lists are the comparison's changes: the worst regression first, then the
    best improvement first."""

    name: str
    found: Comparison
    regressions: list[Change]
    improvements: list[Change]
    unchanged: list[Change]
    not_compared: list[Change]


@dataclass(frozen=True, slots=True)
class ScorerLine:
    """A scoring function, and its scores with each of the contenders; None where one has none."""

    name: str
    scores: list[ScorerSummary | None]


@dataclass(frozen=True, slots=True)
class Table:
    """Everything that a page of a comparison shows. `pairs` has for each contest and scenario a run of each side."""

    contenders: list[Contender]
    summaries: list[Summary]
    contests: list[Contest]
    scorers: list[ScorerLine]
    pairs: list[dict[str, tuple[str, str]]]


def choose(chosen: Sequence[Chosen], read: Sequence[Sequence[Attempt]]) -> list[Contender]:
    """The contenders that the sources name, of the attempts that were read of each.

    Raises:
        NotFound: A source has no agent of the name.
        BadRequest: There are too many.
    """
    found: list[Contender] = []
    for one, attempts in zip(chosen, read, strict=True):
        own = contenders(attempts)
        if one.agent is not None:
            named = [each for each in own if each.agent == one.agent]
            if not named:
                known = ", ".join(each.agent for each in own) or "none"
                message = f"of: {one.source} has no agent {one.agent[:200]!r}; it has: {known}."
                raise NotFound(message, field="of")
            own = named
        found += own
    unique = list({(one.source, one.agent): one for one in found}.values())
    if len(unique) > MOST_CONTENDERS:
        message = (
            f"of: these have {len(unique)} agents together; compare at most {MOST_CONTENDERS}: name one as ID:AGENT."
        )
        raise BadRequest(message, field="of")
    return unique


async def tabulate(found: list[Contender], pass_score: float) -> Table:
    """The figures of a comparison, which take a moment for thousands of attempts."""
    return await asyncio.to_thread(_tabulate, found, pass_score)


def _tabulate(found: list[Contender], pass_score: float) -> Table:
    summaries = [summarize(one, pass_score=pass_score) for one in found]
    contests = [_contest(found[0], other, pass_score) for other in found[1:]]
    return Table(found, summaries, contests, _scorers(summaries), [_pairs(found[0], other) for other in found[1:]])


def _contest(first: Contender, other: Contender, pass_score: float) -> Contest:
    result = compare(first, other, pass_score=pass_score)
    compared = [(one, one.difference) for one in result.changes if one.difference is not None]
    return Contest(
        other.name,
        result,
        regressions=[one for one, difference in compared if difference < -TOLERANCE],
        improvements=[one for one, difference in reversed(compared) if difference > TOLERANCE],
        unchanged=[one for one, difference in compared if abs(difference) <= TOLERANCE],
        not_compared=[one for one in result.changes if one.difference is None],
    )


def _scorers(summaries: Sequence[Summary]) -> list[ScorerLine]:
    names = list(dict.fromkeys(scorer.name for one in summaries for scorer in one.scorers))
    by_name = [{scorer.name: scorer for scorer in one.scorers} for one in summaries]
    return [ScorerLine(name, [own.get(name) for own in by_name]) for name in names]


def _pairs(first: Contender, other: Contender) -> dict[str, tuple[str, str]]:
    """For each scenario that both tried, a run of each to be looked at: the last that counts."""
    ours, theirs = by_scenario(first.attempts), by_scenario(other.attempts)
    pairs: dict[str, tuple[str, str]] = {}
    for scenario in ours.keys() & theirs.keys():
        a, b = _last(ours[scenario]), _last(theirs[scenario])
        if a is not None and b is not None:
            pairs[scenario] = (a, b)
    return pairs


def _last(attempts: Sequence[Attempt]) -> str | None:
    with_run = [one for one in attempts if one.run_id is not None and one.ending != AttemptEnd.UNFINISHED]
    counted = [one for one in with_run if one.counted is not None]
    last = (counted or with_run)[-1:]
    return last[0].run_id if last else None


def lowest_first(summary: Summary) -> list[ScenarioSummary]:
    """The scenarios of a contender, those without a score last."""
    return sorted(summary.scenarios, key=lambda one: 2.0 if one.mean is None else one.mean)


@dataclass(frozen=True, slots=True)
class IntervalBar:
    """An interval drawn on a scale, in hundredths of its width. None where nothing tells how far the mean may be
    off."""

    mean: float
    low: float | None
    width: float | None
    zero: float | None


def bar_of(found: Estimate, *, signed: bool = False) -> IntervalBar:
    """The bar of an estimate between 0 and 1, or if `signed` between -1 and 1."""

    def place(value: float) -> float:
        return round(50 + value * 50 if signed else value * 100, 2)

    if found.low is None or found.high is None:
        return IntervalBar(place(found.mean), None, None, 50 if signed else None)
    low, high = place(found.low), place(found.high)
    return IntervalBar(place(found.mean), low, round(max(high - low, 0.5), 2), 50 if signed else None)
