"""Model usage of a contender, all together and for a point of score."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loopyard.bench.reading.attempt import Attempt


@dataclass(frozen=True, slots=True)
class UsageSummary:
    """Sums over the `attempts` whose tokens are known. `whole` unless some of them may have used more. What a point of
    score took is over the attempts that count for the agent: their tokens, or US dollars, divided by their scores; None
    where these are 0."""

    attempts: int
    calls: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    whole: bool
    tokens_per_point: float | None
    cost_usd_per_point: float | None

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


def summarize_usage(attempts: Sequence[Attempt]) -> UsageSummary | None:
    """The sums; None where nothing is known of any attempt."""
    told = [one.model_usage for one in attempts if one.model_usage is not None]
    if not told and all(one.cost_usd is None for one in attempts):
        return None
    tokens = [(float(one.model_usage.tokens), one.counted) for one in attempts if one.model_usage is not None]
    costs = [(one.cost_usd, one.counted) for one in attempts if one.cost_usd is not None]
    return UsageSummary(
        attempts=len(told),
        calls=sum(one.calls for one in told),
        input_tokens=sum(one.input_tokens for one in told),
        output_tokens=sum(one.output_tokens for one in told),
        cache_read_tokens=sum(one.cache_read_tokens for one in told),
        cache_write_tokens=sum(one.cache_write_tokens for one in told),
        reasoning_tokens=sum(one.reasoning_tokens for one in told),
        whole=all(one.is_whole for one in told),
        tokens_per_point=_per_point(tokens),
        cost_usd_per_point=_per_point(costs),
    )


def mean_tokens(attempts: Sequence[Attempt]) -> float | None:
    """Tokens of an attempt, over those whose tokens are known."""
    return _mean([float(one.model_usage.tokens) for one in attempts if one.model_usage is not None])


def mean_cost(attempts: Sequence[Attempt]) -> float | None:
    """US dollars of an attempt, over those whose cost is known."""
    return _mean([one.cost_usd for one in attempts if one.cost_usd is not None])


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _per_point(spent: Sequence[tuple[float, float | None]]) -> float | None:
    counted = [(amount, score) for amount, score in spent if score is not None]
    points = math.fsum(score for _, score in counted)
    return math.fsum(amount for amount, _ in counted) / points if points > 0 else None
