"""Titled tables of text for reports, and how figures are written in them."""

from dataclasses import dataclass, field

from loopyard.bench.reading.statistics.interval import Estimate


@dataclass(frozen=True, slots=True)
class Section:
    """A table with a title. Columns whose name begins with `>` have numbers. Notes stand below."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str] = field(default_factory=list[str])


def estimate(found: Estimate) -> tuple[str, str]:
    return f"{found.mean:.3f}", interval(found)


def interval(found: Estimate) -> str:
    return "-" if found.low is None or found.high is None else f"{found.low:.3f} to {found.high:.3f}"


def signed(value: float) -> str:
    return f"{value:+.3f}"


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def seconds(value: float | None) -> str:
    if value is None:
        return "-"
    if value < 100:
        return f"{value:.1f} s"
    minutes, seconds = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


def known(known: int, of: int) -> str:
    return "" if known == of else f" ({known} of {of})"


def at_least(value: int, *, whole: bool) -> str:
    return f"{value:,}" if whole else f"≥ {value:,}"


def tokens(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def dollars(value: float | None) -> str:
    """US dollars with cents, and where these are few, with more digits."""
    if value is None:
        return "-"
    text = f"{value:.2f}" if value >= 1 else f"{value:.4f}" if value >= 0.01 else f"{value:.7f}"
    whole, _, rest = text.rstrip("0").partition(".")
    return f"${whole or '0'}.{rest.ljust(2, '0')}"
