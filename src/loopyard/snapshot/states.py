"""The life of a snapshot: `in_progress`, then `complete` or `error`; `deleted` from any of them."""

from typing import Literal

SnapshotStatus = Literal["in_progress", "error", "complete", "deleted"]

IN_PROGRESS: SnapshotStatus = "in_progress"
ERROR: SnapshotStatus = "error"
COMPLETE: SnapshotStatus = "complete"
DELETED: SnapshotStatus = "deleted"
