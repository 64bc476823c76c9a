"""Everything that a report or a comparison has, as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from loopyard.bench.reading.attempt import Attempt
from loopyard.bench.reading.comparison import Comparison
from loopyard.bench.reading.statistics.interval import CONFIDENCE
from loopyard.bench.reading.summary import Summary


def of_report(summaries: Sequence[Summary], attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Every figure of a report and every attempt."""
    return {
        "confidence": CONFIDENCE,
        "contenders": [asdict(one) for one in summaries],
        "attempts": [{**asdict(one), "counted": one.counted} for one in attempts],
    }


def of_comparison(found: Comparison) -> dict[str, Any]:
    """Every figure of a comparison."""
    return {"confidence": CONFIDENCE, **asdict(found)}


def text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2) + "\n"
