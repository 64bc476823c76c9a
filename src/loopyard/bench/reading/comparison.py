"""Two contenders side by side, scenario by scenario."""

import math
from dataclasses import dataclass

from loopyard.bench.reading.attempt import Attempt, by_scenario
from loopyard.bench.reading.contender import Contender
from loopyard.bench.reading.statistics.interval import Estimate
from loopyard.bench.reading.statistics.paired import paired_difference
from loopyard.bench.reading.summary import TOLERANCE, Summary, counted, summarize
from loopyard.bench.reading.usage import mean_cost, mean_tokens


@dataclass(frozen=True, slots=True)
class Change:
    """Change of a scenario's mean score from A to B, and the number of attempts in each. `difference` is B's less A's;
    None where one of them has no score. Tokens and US dollars are means over the attempts that have them."""

    scenario: str
    a: float | None
    a_attempts: int
    b: float | None
    b_attempts: int
    difference: float | None
    a_tokens: float | None
    b_tokens: float | None
    a_cost_usd: float | None
    b_cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """`changes` has the regressions first, the worst at the top; scenarios that cannot be compared are at the end."""

    a: Summary
    b: Summary
    difference: Estimate | None
    regressions: int
    improvements: int
    unchanged: int
    not_compared: int
    changes: list[Change]


def compare(a: Contender, b: Contender, *, pass_score: float = 1.0) -> Comparison:
    """Compare B with A. The difference is over the scenarios that both have scores for."""
    groups_a, groups_b = by_scenario(a.attempts), by_scenario(b.attempts)
    scenarios = list(dict.fromkeys([*groups_a, *groups_b]))
    scores_a = [counted(groups_a.get(scenario, [])) for scenario in scenarios]
    scores_b = [counted(groups_b.get(scenario, [])) for scenario in scenarios]
    changes = [_change(one, groups_a.get(one, []), groups_b.get(one, [])) for one in scenarios]
    changes.sort(key=lambda change: math.inf if change.difference is None else change.difference)
    differences = [change.difference for change in changes if change.difference is not None]
    worse = sum(difference < -TOLERANCE for difference in differences)
    better = sum(difference > TOLERANCE for difference in differences)
    return Comparison(
        summarize(a, pass_score=pass_score),
        summarize(b, pass_score=pass_score),
        paired_difference(scores_a, scores_b),
        regressions=worse,
        improvements=better,
        unchanged=len(differences) - worse - better,
        not_compared=len(changes) - len(differences),
        changes=changes,
    )


def _change(scenario: str, attempts_a: list[Attempt], attempts_b: list[Attempt]) -> Change:
    a, b = counted(attempts_a), counted(attempts_b)
    mean_a = math.fsum(a) / len(a) if a else None
    mean_b = math.fsum(b) / len(b) if b else None
    difference = mean_b - mean_a if mean_a is not None and mean_b is not None else None
    return Change(
        scenario,
        mean_a,
        len(a),
        mean_b,
        len(b),
        difference,
        a_tokens=mean_tokens(attempts_a),
        b_tokens=mean_tokens(attempts_b),
        a_cost_usd=mean_cost(attempts_a),
        b_cost_usd=mean_cost(attempts_b),
    )
