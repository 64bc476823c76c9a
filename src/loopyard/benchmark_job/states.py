"""The life of a job: `queued` until its first trial is started, then `running`, then one of the final states."""

from enum import StrEnum
from typing import Literal


class JobState(StrEnum):
    INITIALIZING = "initializing"
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"


JobStateName = Literal["initializing", "queued", "running", "completed", "failed", "cancelled", "timeout"]

UNFINISHED = frozenset({JobState.INITIALIZING, JobState.QUEUED, JobState.RUNNING})
