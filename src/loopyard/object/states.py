"""The states of objects."""

from typing import Literal

StateName = Literal["UPLOADING", "READ_ONLY", "DELETED", "ERROR"]
ContentType = Literal["unspecified", "text", "binary", "gzip", "tar", "tgz"]

UPLOADING: StateName = "UPLOADING"
READ_ONLY: StateName = "READ_ONLY"
DELETED: StateName = "DELETED"
ERROR: StateName = "ERROR"
