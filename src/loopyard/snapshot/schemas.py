"""The wire's words for snapshots."""

from typing import Annotated

from pydantic import Field

from loopyard.kit.http.wire import Params, ShortText, StringMap, Text, View
from loopyard.snapshot.states import SnapshotStatus

CommitMessage = Annotated[Text, Field(max_length=1000)]


class SnapshotParams(Params):
    """The wire's DevboxSnapshotDiskParams, DevboxSnapshotDiskAsyncParams and DiskSnapshotUpdateParams."""

    commit_message: CommitMessage | None = None
    metadata: StringMap | None = None
    name: ShortText | None = None


class SnapshotView(View):
    """DevboxSnapshotView on the wire. `size_bytes` is what it holds beyond the image below it, once it is taken."""

    id: str
    create_time_ms: int
    metadata: dict[str, str] = Field(validation_alias="metadata_", serialization_alias="metadata")
    source_devbox_id: str
    commit_message: str | None = None
    name: str | None = None
    size_bytes: int | None = None
    source_blueprint_id: str | None = None


class SnapshotListView(View):
    snapshots: list[SnapshotView]
    has_more: bool
    total_count: int | None = None


class SnapshotStatusView(View):
    """DevboxSnapshotAsyncStatusView on the wire."""

    status: SnapshotStatus
    error_message: str | None = None
    snapshot: SnapshotView | None = None
