"""The scoring contract: weighted scoring functions, and what comes of them."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, TypeAdapter

from loopyard.kit.errors import BadRequest
from loopyard.kit.http.wire import Params, View
from loopyard.scorer.custom import CustomScorer
from loopyard.scorer.registry import AnyScorer, RunScorer

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


class RunFunction(Params):
    """A scoring function as runs have it: what a custom scorer stands for is in it."""

    name: str
    scorer: RunScorer
    weight: float


_FUNCTIONS = TypeAdapter(list[ScoringFunction])
_RUN_FUNCTIONS = TypeAdapter(list[RunFunction])


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


def custom_types(functions: Sequence[ScoringFunction]) -> dict[str, int]:
    """The types of registered scorers that the functions need, each with the index of the first function that does."""
    found: dict[str, int] = {}
    for index, function in enumerate(functions):
        if isinstance(function.scorer, CustomScorer):
            found.setdefault(function.scorer.custom_scorer_type, index)
    return found


def check_registered(functions: Sequence[ScoringFunction], scripts: Mapping[str, str], field: str) -> None:
    """Make sure that each custom scorer has a script.

    Raises:
        BadRequest: One has not; the error names the field by its index.
    """
    for scorer_type, index in custom_types(functions).items():
        if scorer_type not in scripts:
            at = f"{field}.{index}.scorer.custom_scorer_type"
            raise BadRequest(f"{at}: no scorer of type {scorer_type} is registered.", field=at)


def fix(stored: Sequence[Any], scripts: Mapping[str, str], field: str) -> tuple[str, list[Any]]:
    """Contract of a run from stored functions, as its digest and as JSON; `scripts` are the registered ones.

    Raises:
        BadRequest: A custom scorer has no script.
    """
    functions = load(stored)
    check_registered(functions, scripts, field)
    fixed = [
        {
            **function,
            "scorer": scorer.with_script(scripts[scorer.custom_scorer_type]).model_dump(mode="json")
            if isinstance(scorer := given.scorer, CustomScorer)
            else function["scorer"],
        }
        for function, given in zip(stored, functions, strict=True)
    ]
    return hashlib.sha256(_RUN_FUNCTIONS.dump_json(load_run(fixed), exclude_none=True)).hexdigest(), fixed


def load_run(stored: Sequence[Any]) -> list[RunFunction]:
    """The functions of a run from their JSON."""
    return _RUN_FUNCTIONS.validate_python(stored)


def weigh(weights: Sequence[float], results: list[ScoringFunctionResult]) -> ScoringContractResult:
    """The weighted mean of the results' scores; the results are in the order of the weights."""
    total = math.fsum(weights)
    score = math.fsum(weight * result.score for weight, result in zip(weights, results, strict=True)) / total
    return ScoringContractResult(score=min(max(score, 0.0), 1.0), scoring_function_results=results)
