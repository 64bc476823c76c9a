"""Protocol of a provider that reports what network policies refused to its sandboxes."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

Refused = Callable[[str, str], None]
"""Called with a sandbox's id and a message for people, which names the host."""


@runtime_checkable
class TellsRefusals(Protocol):
    """Tells refusals by name as they happen, the same one once a minute at most."""

    refused: Refused
