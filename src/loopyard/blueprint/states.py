"""The states of a build, and of a blueprint."""

from enum import StrEnum
from typing import Literal

StatusName = Literal["queued", "provisioning", "building", "awaiting_upload", "failed", "build_complete"]
StateName = Literal["created", "deleted"]


class Status(StrEnum):
    QUEUED = "queued"
    PROVISIONING = "provisioning"
    BUILDING = "building"
    FAILED = "failed"
    COMPLETE = "build_complete"


UNFINISHED = (Status.QUEUED, Status.PROVISIONING, Status.BUILDING)

CREATED = "created"
DELETED = "deleted"
