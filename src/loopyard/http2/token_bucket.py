"""Token bucket: a rate limit that allows bursts."""

import time


class TokenBucket:
    """Bucket of `size` tokens, refilled by `per_second` each second."""

    def __init__(self, size: float, per_second: float) -> None:
        self._size = size
        self._per_second = per_second
        self._left = size
        self._when = time.monotonic()

    def spend(self) -> bool:
        """Take a token; false if there is none."""
        now = time.monotonic()
        self._left = min(self._size, self._left + (now - self._when) * self._per_second)
        self._when = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
