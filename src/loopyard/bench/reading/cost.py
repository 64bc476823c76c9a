"""The cost of an attempt, where its metadata, the gateway or the output of its agent tells it."""

import json
import math
from collections.abc import Mapping
from typing import cast

from loopyard.bench.model_usage import ModelUsage

KEYS = ("cost_usd", "total_cost_usd", "instance_cost")
"""US dollars, as Loopyard and Harbor, Claude Code, and mini-swe-agent name them."""


def of_metadata(metadata: Mapping[str, str]) -> float | None:
    """The cost in US dollars in a run's metadata, under one of `KEYS`; None if it is not there or no number."""
    return next((cost for key in KEYS if (cost := _number(metadata.get(key))) is not None), None)


def of_attempt(metadata: Mapping[str, str], usage: ModelUsage | None, output: str | None) -> float | None:
    """The cost in US dollars of an attempt: as its metadata say, else as the gateway counted, else as its agent
    printed. What the gateway knows a part of only goes last."""
    said = of_metadata(metadata)
    if said is None and usage is not None and usage.is_priced:
        said = usage.cost_usd
    if said is None and output is not None:
        said = of_output(output)
    return usage.cost_usd if said is None and usage is not None else said


def of_output(text: str) -> float | None:
    """The cost in US dollars in the last line that is a JSON object with one of `KEYS`, at its top or one level below;
    None without such a line."""
    for line in reversed(text.split("\n")):
        if not any(key in line for key in KEYS):
            continue
        try:
            value: object = json.loads(line)
        except ValueError:
            continue
        if (cost := _in(value)) is not None:
            return cost
    return None


def _in(value: object) -> float | None:
    if not isinstance(value, dict):
        return None
    table = cast("dict[str, object]", value)
    for candidate in (table, *table.values()):
        if isinstance(candidate, dict):
            inner = cast("dict[str, object]", candidate)
            for key in KEYS:
                if (cost := _number(inner.get(key))) is not None:
                    return cost
    return None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
