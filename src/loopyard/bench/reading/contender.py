"""Contenders: each agent of each source, with its attempts."""

from collections.abc import Sequence
from dataclasses import dataclass

from loopyard.bench.reading.attempt import Attempt


@dataclass(frozen=True, slots=True)
class Contender:
    """Attempts of one agent in one source, or in all of them together."""

    source: str
    agent: str
    attempts: list[Attempt]

    @property
    def name(self) -> str:
        return f"{self.agent} in {self.source}"


def contenders(attempts: Sequence[Attempt], *, together: bool = False) -> list[Contender]:
    """Contenders in the order in which they first appear: each agent of each source, or with `together` each agent."""
    found: dict[tuple[str, str], list[Attempt]] = {}
    for attempt in attempts:
        source = "all runs" if together else attempt.source
        found.setdefault((source, attempt.agent), []).append(attempt)
    return [Contender(source, agent, own) for (source, agent), own in found.items()]
