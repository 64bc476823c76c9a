"""The scoring contract: weighted scoring functions, and what comes of them."""

import hashlib
import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, TypeAdapter

from loopyard.kit.errors import BadRequest
from loopyard.kit.wire import Params, View
from loopyard.scorer.registry import AnyScorer

WEIGHT_TOLERANCE = 1e-6
MAX_FUNCTIONS = 100
MAX_CONTRACT_BYTES = 16 * 1024**2
"""Limit on all scoring functions of a scenario together, as JSON: 16 MiB."""

ResultState = Literal["unknown", "complete", "error"]


class ScoringFunction(Params):
    """A scorer, its name in the results, and its part of the whole score."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]+$", max_length=255)]
    scorer: AnyScorer
    weight: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class ScoringFunctionResult(View):
    scoring_function_name: str
    score: float
    output: str
    state: ResultState


class ScoringContractResult(View):
    score: float
    scoring_function_results: list[ScoringFunctionResult]


_FUNCTIONS = TypeAdapter(list[ScoringFunction])


def check(functions: Sequence[ScoringFunction], field: str) -> None:
    """Make sure that the functions can score. `field` is what the request calls the list.

    Raises:
        BadRequest: They cannot; the error names the field by its index.
    """
    if not 1 <= len(functions) <= MAX_FUNCTIONS:
        raise BadRequest(f"{field}: give 1 to {MAX_FUNCTIONS} scoring functions.", field=field)
    seen: set[str] = set()
    for index, function in enumerate(functions):
        if function.name in seen:
            at = f"{field}.{index}.name"
            raise BadRequest(f"{at}: the name {function.name} is used twice; each needs its own.", field=at)
        seen.add(function.name)
        if not function.scorer.offered:
            at = f"{field}.{index}.scorer.type"
            raise BadRequest(f"{at}: this server does not offer {function.scorer.type} yet.", field=at)
    total = math.fsum(function.weight for function in functions)
    if abs(total - 1) > WEIGHT_TOLERANCE:
        at = f"{field}.{len(functions) - 1}.weight"
        raise BadRequest(f"{at}: the weights must sum to 1.0; they sum to {total:g}.", field=at)
    if len(_FUNCTIONS.dump_json(list(functions))) > MAX_CONTRACT_BYTES:
        raise BadRequest(f"{field}: all together may have at most 16 MiB.", field=field)


def dump(functions: Sequence[ScoringFunction]) -> list[Any]:
    """The functions as JSON that can be stored."""
    return _FUNCTIONS.dump_python(list(functions), mode="json", exclude_none=True)


def load(stored: Sequence[Any]) -> list[ScoringFunction]:
    """The functions that `dump` made JSON of."""
    return _FUNCTIONS.validate_python(stored)


def digest(functions: Sequence[ScoringFunction]) -> str:
    """A name for exactly these functions."""
    return hashlib.sha256(_FUNCTIONS.dump_json(list(functions), exclude_none=True)).hexdigest()


def weigh(functions: Sequence[ScoringFunction], results: list[ScoringFunctionResult]) -> ScoringContractResult:
    """The weighted mean of the results' scores, each function's result in the same place as the function."""
    total = math.fsum(function.weight for function in functions)
    score = math.fsum(f.weight * result.score for f, result in zip(functions, results, strict=True)) / total
    return ScoringContractResult(score=min(max(score, 0.0), 1.0), scoring_function_results=results)
