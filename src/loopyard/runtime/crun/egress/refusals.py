"""Tells what sandboxes were refused by name, so that their logs can say why something could not be reached."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

WINDOW_SECONDS = 60.0
MOST_IN_WINDOW = 20
"""How many refusals of one sandbox are told in a minute. The same one is told once."""

_LONGEST = 300

Tell = Callable[[str, str], None]
"""Called with a sandbox's address and a message."""


@dataclass(slots=True)
class _Window:
    began: float
    told: set[str] = field(default_factory=set[str])
    full: bool = False


class Refusals:
    """Passes refusals on, as many as somebody may want to read: sandboxes can ask for what they like."""

    def __init__(self, tell: Tell, clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    def note(self, sandbox_address: str, message: str) -> None:
        """Something was refused to the sandbox with this address."""
        window = self._window(sandbox_address)
        text = "".join(char if char.isprintable() else "?" for char in message[:_LONGEST])
        if text in window.told or window.full:
            return
        if len(window.told) >= MOST_IN_WINDOW:
            window.full = True
            text = "More was refused by the network policy in this minute; it is left out here."
        window.told.add(text)
        self._tell(sandbox_address, text)

    def _window(self, sandbox_address: str) -> _Window:
        now = self._clock()
        window = self._windows.get(sandbox_address)
        if window is None or now - window.began >= WINDOW_SECONDS:
            self._windows = {one: what for one, what in self._windows.items() if now - what.began < WINDOW_SECONDS}
            window = self._windows[sandbox_address] = _Window(now)
        return window
