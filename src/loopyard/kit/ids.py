"""Ids: a prefix that tells the kind, and a part that sorts by time of creation.

The second part is a UUIDv7 (RFC 9562, section 5.7) in 26 characters of Crockford's base32, lower case. Its random
field counts up within a millisecond, so that ids made by one process are in strictly rising order.
"""

import re
import secrets
import threading
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_BITS = 74
_lock = threading.Lock()
_last = 0


def _next_number() -> int:
    """The next UUIDv7 without its version and variant bits: 48 bits of milliseconds and 74 random ones."""
    global _last  # noqa: PLW0603
    with _lock:
        fresh = (time.time_ns() // 1_000_000 << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS - 1)
        # A clock that stands still or steps back must not break the order.
        _last = fresh if fresh > _last else _last + 1 + secrets.randbits(32)
        return _last


def new_id(prefix: str) -> str:
    """A new id such as `dbx_01k…`, greater than every id made before by this process."""
    number = _next_number()
    head, tail = number >> 62, number & ((1 << 62) - 1)
    milliseconds, random_a = head >> 12, head & 0xFFF
    uuid = (milliseconds << 80) | (0x7 << 76) | (random_a << 64) | (0b10 << 62) | tail
    digits = [_ALPHABET[(uuid >> shift) & 31] for shift in range(125, -1, -5)]
    return f"{prefix}_{''.join(digits)}"


def is_id(text: str, prefix: str) -> bool:
    """True if the text is made as `new_id` makes ids with this prefix."""
    return re.fullmatch(f"{re.escape(prefix)}_[{_ALPHABET}]{{26}}", text) is not None
