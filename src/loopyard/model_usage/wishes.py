"""Metadata of scenarios and runs that concern calls of models: budgets, and recording."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from loopyard.kit.errors import BadRequest

MAX_COST = "loopyard.max_cost_usd"
MAX_TOKENS = "loopyard.max_tokens"
RECORD = "loopyard.record_model_calls"
KEYS = (MAX_COST, MAX_TOKENS, RECORD)
"""The keys, each in the metadata of a scenario or of a run; what the run's say goes first."""

MOST_USD = Decimal(1_000_000)
MOST_TOKENS = 10**12

_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
_NUMBER = re.compile(r"[0-9]{1,15}")
_TRUTHS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Wishes:
    """Budget and recording for the calls of one run. Costs are in billionths of a US dollar; None for no limit.
    `record` is None where the server's setting holds."""

    max_nano_usd: int | None = None
    max_tokens: int | None = None
    record: bool | None = None

    @property
    def has_budget(self) -> bool:
        return self.max_nano_usd is not None or self.max_tokens is not None


def wishes_of(*metadata: Mapping[str, str]) -> Wishes:
    """Merge the wishes of several sources: for each key, the first source that has it.

    Raises:
        BadRequest: A value cannot be what it is.
    """
    said = {key: value for one in reversed(metadata) for key, value in one.items()}
    return Wishes(_nano_usd(said), _tokens(said), _record(said))


def _nano_usd(said: Mapping[str, str]) -> int | None:
    if (text := said.get(MAX_COST)) is None:
        return None
    if not _AMOUNT.fullmatch(text) or Decimal(text) > MOST_USD:
        raise BadRequest(f"metadata: {MAX_COST} is an amount of US dollars from 0 to {MOST_USD}.", field="metadata")
    return int(Decimal(text) * 10**9)


def _tokens(said: Mapping[str, str]) -> int | None:
    if (text := said.get(MAX_TOKENS)) is None:
        return None
    if not _NUMBER.fullmatch(text) or int(text) > MOST_TOKENS:
        raise BadRequest(f"metadata: {MAX_TOKENS} is a whole number from 0 to {MOST_TOKENS}.", field="metadata")
    return int(text)


def _record(said: Mapping[str, str]) -> bool | None:
    if (text := said.get(RECORD)) is None:
        return None
    if text not in _TRUTHS:
        raise BadRequest(f"metadata: {RECORD} is true or false.", field="metadata")
    return _TRUTHS[text]
