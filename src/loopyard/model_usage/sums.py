"""Sums over calls of models."""

from dataclasses import astuple, dataclass, fields
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from loopyard.model_usage.metering.meter import Outcome
from loopyard.model_usage.metering.tokens import MOST, Tokens
from loopyard.model_usage.prices import MOST_NANO_USD

MOST_MODEL = 200

_Number = Annotated[int, Field(ge=0, le=3 * MOST)]


@dataclass(frozen=True, slots=True)
class Sums:
    """Calls by their outcome, and what they used; the names are the columns of `ModelUsage`."""

    counted: int = 0
    cut_off: int = 0
    untold: int = 0
    failed: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    nano_usd: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*(one + two for one, two in zip(astuple(self), astuple(other), strict=True)))

    @property
    def calls(self) -> int:
        return self.counted + self.cut_off + self.untold + self.failed

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def uncounted(self) -> int:
        """Calls that may have used more than is known."""
        return self.cut_off + self.untold


NAMES = tuple(field.name for field in fields(Sums))
NOTHING = Sums()


def of_call(outcome: Outcome, tokens: Tokens, nano_usd: int | None) -> Sums:
    """The sums over one call. What is known of one that was cut off counts."""
    return Sums(
        **{outcome.value: 1},
        unpriced=int(nano_usd is None and tokens.total > 0),
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cache_read_tokens=tokens.cache_read,
        cache_write_tokens=tokens.cache_write,
        reasoning_tokens=tokens.reasoning,
        nano_usd=nano_usd or 0,
    )


class TokenCounts(BaseModel):
    """Tokens on the way between processes."""

    model_config = ConfigDict(from_attributes=True)

    input: _Number = 0
    output: _Number = 0
    cache_read: _Number = 0
    cache_write: _Number = 0
    reasoning: _Number = 0


class CallReport(BaseModel):
    """Report of the proxy on one call. `model` is empty where the answer does not name it."""

    model_config = ConfigDict(frozen=True)

    outcome: Outcome
    tokens: TokenCounts = TokenCounts()
    model: Annotated[str, Field(max_length=MOST_MODEL)] = ""
    nano_usd: Annotated[int, Field(ge=0, le=MOST_NANO_USD)] | None = None
    reason: str | None = None

    @property
    def sums(self) -> Sums:
        return of_call(self.outcome, Tokens(**self.tokens.model_dump()), self.nano_usd)
