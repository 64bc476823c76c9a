"""The life of a benchmark run, as one explicit state machine."""

from enum import StrEnum
from typing import Literal


class State(StrEnum):
    RUNNING = "running"
    CANCELED = "canceled"
    COMPLETED = "completed"
    FAILED = "failed"


StateName = Literal["running", "canceled", "completed", "failed"]

FINAL = frozenset({State.CANCELED, State.COMPLETED, State.FAILED})
"""From `running` each of these can be reached, and nothing follows them."""
