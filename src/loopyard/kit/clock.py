"""Time as the wire has it: milliseconds since the epoch."""

import time


def now_ms() -> int:
    """The time now, in milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000
