"""Numbers and times in words."""

from datetime import UTC, datetime

from markupsafe import Markup

from loopyard.kit.clock import now_ms

_STEPS = ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h"), (86_400 * 60, 86_400, "d"))


def size(number: float | None) -> str:
    """A number of bytes, such as `1.5 MiB`."""
    if number is None:
        return "—"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(number) < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def span(seconds: float | None) -> str:
    """A length of time, such as `2 min 5 s`."""
    if seconds is None:
        return "—"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def ago(time_ms: int | None) -> Markup:
    """A time as how long ago it is, with the exact one on hover."""
    if time_ms is None:
        return Markup("—")
    return Markup('<time datetime="{}" title="{}" data-ms="{}">{}</time>').format(
        _iso(time_ms), exact(time_ms), time_ms, since((now_ms() - time_ms) / 1000)
    )


def since(seconds: float) -> str:
    """How long ago, or in how long."""
    away = abs(seconds)
    if away < 5:
        return "now"
    for below, unit, name in _STEPS:
        if away < below:
            words = f"{int(away // unit)} {name}"
            return f"{words} ago" if seconds > 0 else f"in {words}"
    return f"{int(away // 86_400)} d ago" if seconds > 0 else f"in {int(away // 86_400)} d"


def exact(time_ms: int | None) -> str:
    """A time in UTC, to the millisecond."""
    if time_ms is None:
        return "—"
    moment = _moment(time_ms)
    return "—" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}.{time_ms % 1000:03d} UTC"


def _iso(time_ms: int) -> str:
    moment = _moment(time_ms)
    return "" if moment is None else moment.isoformat(timespec="milliseconds")


def _moment(time_ms: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def money(amount: float | None) -> str:
    """Dollars."""
    if amount is None:
        return "—"
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.4f}"


def count(number: int | None) -> str:
    """A number with its thousands apart."""
    return "—" if number is None else f"{number:,}"
