"""The life of an execution."""

from typing import Literal

ExecutionStatus = Literal["queued", "running", "completed"]
Purpose = Literal["exec", "launch", "scoring"]

RUNNING: ExecutionStatus = "running"
COMPLETED: ExecutionStatus = "completed"
