"""Sections of a report on tokens and cost."""

from collections.abc import Sequence

from loopyard.bench.reading.comparison import Change
from loopyard.bench.reading.section import Section, at_least, dollars, known, tokens
from loopyard.bench.reading.summary import Summary


def of_usage(summaries: Sequence[Summary]) -> Section:
    """The model usage of each contender."""
    columns = ["agent", "source", "> calls", "> input", "> cached", "> output", "> reasoning"]
    columns += ["> tokens per point", "> cost per point"]
    rows = [
        [
            *(one.agent, one.source),
            *(
                (
                    f"{used.calls:,}{known(used.attempts, one.attempts)}",
                    at_least(used.input_tokens, whole=used.whole),
                    f"{used.cache_read_tokens:,}",
                    at_least(used.output_tokens, whole=used.whole),
                    f"{used.reasoning_tokens:,}",
                )
                if used.attempts
                else ("-", "-", "-", "-", "-")
            ),
            tokens(used.tokens_per_point),
            dollars(used.cost_usd_per_point),
        ]
        for one in summaries
        if (used := one.usage) is not None
    ]
    notes: list[str] = []
    if any(one.usage is not None and one.usage.attempts and not one.usage.whole for one in summaries):
        notes.append("≥: some calls were cut off, or their answers tell no tokens; they may have used more.")
    if rows:
        notes.append("A point is a score of 1: what all attempts that count took, divided by the sum of their scores.")
    return Section("Tokens and cost", columns, rows, notes)


def of_changes(changes: Sequence[Change]) -> Section:
    """The model usage of an attempt at each scenario, on both sides."""

    def is_known(one: Change) -> bool:
        return any(value is not None for value in (one.a_tokens, one.b_tokens, one.a_cost_usd, one.b_cost_usd))

    rows = [
        [
            one.scenario,
            tokens(one.a_tokens),
            tokens(one.b_tokens),
            dollars(one.a_cost_usd),
            dollars(one.b_cost_usd),
        ]
        for one in changes
        if is_known(one)
    ]
    columns = ["scenario", "> A tokens", "> B tokens", "> A cost", "> B cost"]
    return Section("Tokens and cost of an attempt", columns, rows)
