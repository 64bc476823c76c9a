"""Account of one devbox: its usage so far, and whether it may use more."""

import asyncio
from dataclasses import dataclass, field

from loopyard.gateway.observation import Call
from loopyard.model_usage.sums import Sums
from loopyard.model_usage.wishes import MAX_COST, MAX_TOKENS, Wishes

MOST_AT_ONCE = 32
"""Calls of one devbox that may go on at once while a budget holds: what each uses is known only at its end."""

MOST_UNCOUNTED = 20
"""Calls of which it is not known what they used, after which a budget lets no more be made."""

MOST_MODELS = 64
"""Models of one devbox that are told apart; further ones are counted as `OTHER_MODELS`."""

OTHER_MODELS = "(others)"


@dataclass(slots=True)
class Account:
    """The present state of a devbox, in memory; the store has all but the calls that go on."""

    wishes: Wishes
    sums: Sums
    refused: bool
    """True if a call was refused because of the budget."""
    models: set[str] = field(default_factory=set[str])
    going_on: dict[str, Call] = field(default_factory=dict[str, Call])
    """Calls by their ids."""
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the last call that went on has ended."""

    def name_of(self, model: str) -> str:
        """The name that a model is counted by."""
        if model not in self.models:
            if len(self.models) >= MOST_MODELS:
                return OTHER_MODELS
            self.models.add(model)
        return model

    def why_not(self) -> str | None:
        """Why no further call may be made; None if one may."""
        if not self.wishes.has_budget:
            return None
        most, limit = self.wishes.max_tokens, self.wishes.max_nano_usd
        if most is not None and self.sums.tokens >= most:
            return f"The budget of this run is spent: {self.sums.tokens} of {most} tokens ({MAX_TOKENS})."
        if limit is not None and self.sums.nano_usd >= limit:
            return f"The budget of this run is spent: {usd(self.sums.nano_usd)} of {usd(limit)} ({MAX_COST})."
        if limit is not None and self.sums.unpriced:
            return (
                f"The budget of this run ({MAX_COST}) cannot be kept: the model that it calls has no known price. "
                f"Limit the run by {MAX_TOKENS} instead."
            )
        if self.sums.uncounted >= MOST_UNCOUNTED:
            return (
                f"The budget of this run cannot be kept: {self.sums.uncounted} of its calls were cut off, or their "
                "answers tell no usage. (A streamed OpenAI chat tells it with stream_options.include_usage.)"
            )
        return None

    @property
    def is_crowded(self) -> bool:
        """True if further calls must wait until one has ended."""
        return self.wishes.has_budget and len(self.going_on) >= MOST_AT_ONCE


def usd(nano: int) -> str:
    """An amount for people: $1.50, or $0.000012."""
    text = f"{nano / 10**9:.9f}".rstrip("0")
    whole, _, rest = text.partition(".")
    return f"${whole}.{rest.ljust(2, '0')}"
