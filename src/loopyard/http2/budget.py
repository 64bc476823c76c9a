"""How much of a bad habit is borne."""

import time


class Budget:
    """Holds `size`, and comes back to that by `per_second` each second."""

    def __init__(self, size: float, per_second: float) -> None:
        self._size = size
        self._per_second = per_second
        self._left = size
        self._when = time.monotonic()

    def spend(self) -> bool:
        """Take one; whether there was one."""
        now = time.monotonic()
        self._left = min(self._size, self._left + (now - self._when) * self._per_second)
        self._when = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
