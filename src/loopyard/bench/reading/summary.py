"""Results of one contender as figures."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from loopyard.bench.reading.attempt import Attempt, AttemptEnd, by_scenario
from loopyard.bench.reading.contender import Contender
from loopyard.bench.reading.statistics.interval import Estimate, clustered_mean
from loopyard.bench.reading.statistics.pass_rates import pass_at_k, pass_hat_k, useful_ks
from loopyard.bench.reading.usage import UsageSummary, mean_cost, mean_tokens, summarize_usage

TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class PassRate:
    """pass@k (one of k attempts passes) and pass^k (all do): means over the scenarios with at least k scores."""

    k: int
    at: Estimate
    hat: Estimate


@dataclass(frozen=True, slots=True)
class ScorerSummary:
    """Scores of one scoring function over all attempts; `errors` of them ended in an error."""

    name: str
    score: Estimate
    errors: int


@dataclass(frozen=True, slots=True)
class ScenarioSummary:
    """Attempts at one scenario: `counted` of them say something about the agent, `passed` of these passed. `tokens` and
    `cost_usd` are means over the attempts that tell them."""

    scenario: str
    mean: float | None
    counted: int
    passed: int
    tokens: float | None
    cost_usd: float | None
    scorers: list[ScorerSummary]


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that the infrastructure broke."""

    scenario: str
    run_id: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Summary:
    """All that is told of one contender. `endings` counts the attempts by how they ended. Times are seconds of the
    counted attempts; `cost_usd` is the sum over the `cost_known` attempts that tell their cost."""

    source: str
    agent: str
    score: Estimate | None
    passing: list[PassRate]
    endings: dict[str, int]
    seconds_total: float | None
    seconds_median: float | None
    cost_usd: float | None
    cost_known: int
    attempts: int
    usage: UsageSummary | None
    scorers: list[ScorerSummary]
    scenarios: list[ScenarioSummary]
    failures: list[Failure]


def summarize(contender: Contender, *, pass_score: float = 1.0) -> Summary:
    """The figures of one contender. Failures of the infrastructure, cancellations and unfinished attempts count in none
    of the scores.

    Args:
        contender: Whose.
        pass_score: The score from which on an attempt has passed.
    """
    attempts = contender.attempts
    groups = by_scenario(attempts)
    scores = {scenario: counted(own) for scenario, own in groups.items()}
    seconds = [one.seconds for one in attempts if one.counted is not None and one.seconds is not None]
    costs = [one.cost_usd for one in attempts if one.cost_usd is not None]
    return Summary(
        source=contender.source,
        agent=contender.agent,
        score=clustered_mean(list(scores.values())),
        passing=_passing(list(scores.values()), pass_score),
        endings=_endings(attempts),
        seconds_total=math.fsum(seconds) if seconds else None,
        seconds_median=median(seconds) if seconds else None,
        cost_usd=math.fsum(costs) if costs else None,
        cost_known=len(costs),
        attempts=len(attempts),
        usage=summarize_usage(attempts),
        scorers=_scorers(groups.values()),
        scenarios=[_scenario(scenario, own, pass_score) for scenario, own in groups.items()],
        failures=[
            Failure(one.scenario, one.run_id, one.reason)
            for one in attempts
            if one.ending in (AttemptEnd.INFRASTRUCTURE_FAILED, AttemptEnd.BROKEN_SCENARIO)
        ],
    )


def _endings(attempts: Sequence[Attempt]) -> dict[str, int]:
    """How many attempts ended in each way; broken scenarios only where there are any."""
    counts = {ending.value: sum(one.ending == ending for one in attempts) for ending in AttemptEnd}
    return {name: count for name, count in counts.items() if count or name != AttemptEnd.BROKEN_SCENARIO}


def counted(attempts: Iterable[Attempt]) -> list[float]:
    """The scores that say something about the agent."""
    return [score for one in attempts if (score := one.counted) is not None]


def passes(score: float, pass_score: float) -> bool:
    return score >= pass_score - TOLERANCE


def _passing(groups: Sequence[Sequence[float]], pass_score: float) -> list[PassRate]:
    rates: list[PassRate] = []
    for k in useful_ks(max((len(group) for group in groups), default=0)):
        pairs = [(len(group), sum(passes(score, pass_score) for score in group)) for group in groups if len(group) >= k]
        at = clustered_mean([[pass_at_k(n, c, k)] for n, c in pairs])
        hat = clustered_mean([[pass_hat_k(n, c, k)] for n, c in pairs])
        if at is not None and hat is not None:
            rates.append(PassRate(k, at, hat))
    return rates


def _scenario(scenario: str, attempts: list[Attempt], pass_score: float) -> ScenarioSummary:
    scores = counted(attempts)
    return ScenarioSummary(
        scenario,
        mean=math.fsum(scores) / len(scores) if scores else None,
        counted=len(scores),
        passed=sum(passes(score, pass_score) for score in scores),
        tokens=mean_tokens(attempts),
        cost_usd=mean_cost(attempts),
        scorers=_scorers([attempts]),
    )


def _scorers(groups: Iterable[Sequence[Attempt]]) -> list[ScorerSummary]:
    """Each scoring function by its name, over all scenarios that have one of this name."""
    scores: dict[str, list[list[float]]] = {}
    errors: dict[str, int] = {}
    for attempts in groups:
        own: dict[str, list[float]] = {}
        for scorer in (scorer for one in attempts if one.ending == AttemptEnd.SCORED for scorer in one.scorers):
            own.setdefault(scorer.name, []).append(scorer.score)
            errors[scorer.name] = errors.get(scorer.name, 0) + scorer.failed
        for name, values in own.items():
            scores.setdefault(name, []).append(values)
    found: list[ScorerSummary] = []
    for name, clusters in scores.items():
        estimate = clustered_mean(clusters)
        if estimate is not None:
            found.append(ScorerSummary(name, estimate, errors[name]))
    return found
