"""The life of an execution: `queued` only in a named shell that is busy, then `running`, then `completed`."""

from typing import Literal

ExecutionStatus = Literal["queued", "running", "completed"]
Purpose = Literal["exec", "launch", "entrypoint", "suspend", "scoring", "broker"]

QUEUED: ExecutionStatus = "queued"
RUNNING: ExecutionStatus = "running"
COMPLETED: ExecutionStatus = "completed"
